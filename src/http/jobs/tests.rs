use std::time::Duration;

use http::StatusCode;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};

use super::*;
use crate::clock::Clock;
use crate::config::job_types as jobs;
use crate::config::secret::Current;

fn door() -> Door {
    Door::new(room(), Webhooks::ALL)
}

/// Without webhooks: it has no thread and no store.
pub(in crate::http) fn room() -> Room {
    let settings = jobs::Jobs {
        takes_webhooks: false,
        takes_runpod: false,
        max_age: Duration::ZERO,
        retention: Duration::ZERO,
        max_bytes: 0,
        signals: jobs::Signals {
            affect_health: false,
            latency_slo: Duration::from_mins(5),
            latency_slo_by_model: Vec::new(),
            failure_baseline: 0.0,
            failure_budget: 0.0,
            window: Duration::from_mins(15),
            min_samples: 1,
        },
    };
    let setup = crate::jobs::Setup {
        settings,
        webhooks: Current::fixed(jobs::JobWebhooks::default()),
        database: Current::fixed(jobs::Database::Sqlite("nowhere".into())),
        clock: Clock::default(),
    };
    Room::start(setup).unwrap().0
}

fn of(refusal: Refusal) -> Reply {
    door().received(Err(refusal), StatusCode::ACCEPTED)
}

fn text(reply: &Reply) -> String {
    let body = reply.answer.body.clone().with_id("req_1");
    String::from_utf8(body.to_vec()).unwrap()
}

#[test]
fn a_refusal_is_told_by_status_code_and_headers() {
    let unavailable = Refusal::Unavailable {
        cause: "the disk is full",
        retry_after: 0,
    };
    for (refusal, status, code, message) in [
        (
            Refusal::InvalidSignature("no signature"),
            401,
            Code::InvalidSignature,
            "no signature",
        ),
        (
            Refusal::Invalid("no job"),
            400,
            Code::InvalidRequest,
            "no job",
        ),
        (unavailable, 503, Code::Unavailable, "retry in 1 s"),
    ] {
        let reply = of(refusal);
        assert_eq!(reply.answer.status, status, "{refusal:?}");
        assert_eq!(reply.code, Some(code));
        assert!(text(&reply).contains(message), "{}", text(&reply));
        assert!(reply.body_read, "the connection can be used again");
    }
    let reply = of(Refusal::InvalidSignature("no signature"));
    assert_eq!(reply.headers[0].0, WWW_AUTHENTICATE);
    let reply = of(unavailable);
    assert_eq!(reply.headers, [(RETRY_AFTER, 1.into())]);
    assert_eq!(reply.cause.as_deref(), Some("the disk is full"));
    assert!(!text(&reply).contains("disk"));
}

#[test]
fn a_wrong_token_is_answered_as_an_unknown_path_is() {
    let unknown = Reply::from(ApiError::not_found(Scope::Everything(Webhooks::ALL)));
    let wrong = Reply::from(door().refused(Refusal::WrongToken));
    assert_eq!(wrong.answer, unknown.answer);
    assert_eq!(wrong.code, unknown.code);
    assert_eq!(wrong.headers, unknown.headers);
    assert_eq!(wrong.cause, unknown.cause);
    assert_eq!(wrong.body_read, unknown.body_read);
}

#[test]
fn a_receipt_is_told_by_its_status() {
    let door = door();
    let mut receipt = crate::answers::examples::jobs::receipt();
    let of = |receipt: &Receipt| door.received(Ok(receipt.clone()), StatusCode::ACCEPTED);
    let accepted = of(&receipt);
    assert_eq!(accepted.answer.status, StatusCode::ACCEPTED);
    assert!(accepted.body_read && accepted.code.is_none());
    receipt.duplicate = true;
    assert_eq!(of(&receipt).answer.status, StatusCode::OK);
}

use std::time::Duration;

use http::Request;

use super::*;
use crate::clock::Clock;
use crate::config::secret::{ApiKeys, Current};
use crate::config::{Answers, Details, Limits};
use crate::http::endpoints::{Scope, Webhooks};
use crate::http::shared::Facts;
use crate::metrics::Metrics;
use crate::monitor::{self, Monitor};
use crate::registry::Registry;

const BURST: usize = 3;

/// With a burst of 3, and 198.51.100.0/24 exempt.
fn doors() -> (Doors, Monitor) {
    let monitor = monitor::start(monitor::Setup {
        infos: Vec::new(),
        options: crate::answers::Options::default(),
        clock: Clock::default(),
        refresh_gap: Duration::from_secs(1),
        build: || Ok(Registry::new()),
        on_beat: Box::new(|_| {}),
    })
    .unwrap();
    let setup = Setup {
        answers: Answers {
            details: Details::Authorized,
            degraded_is_503: false,
            require_api_key: false,
            exclude: Vec::new(),
            deadline: Duration::ZERO,
            ready_requires: Vec::new(),
        },
        limits: Limits {
            per_second: 1,
            burst: 3,
            exempt: vec!["198.51.100.0/24".parse().unwrap()],
            trusted_proxies: Vec::new(),
        },
        api_keys: Current::fixed(ApiKeys::default()),
        infos: Vec::new(),
        monitor: monitor.handle.clone(),
        facts: Facts {
            is_draining: Box::new(|| false),
            drain_begun: Box::new(|| Box::pin(std::future::pending())),
            descriptors_exhausted: Box::new(|| false),
        },
        metrics: Metrics::default(),
        webhooks: Webhooks::ALL,
        #[cfg(feature = "jobs")]
        jobs: crate::http::jobs::tests::room(),
    };
    (Doors::new(setup), monitor)
}

/// The code that a request of this address gets whose handler has answered `code`.
fn answered(doors: &Doors, address: &str, target: &str, code: Code) -> Option<Code> {
    let request = Request::post(target)
        .body(Full::<Bytes>::default())
        .unwrap();
    let seen = Seen::of(Scope::DOCUMENTED, &request);
    let who = doors.identify(address.parse().unwrap(), request.headers(), &seen);
    if let Err(refused) = doors.admit(&seen, &who) {
        return Reply::from(refused).code;
    }
    let reply = Reply::from(ApiError::new(code, "an example")).with_body_read();
    let reply = doors.limit_guess(&seen, &who, reply);
    assert!(reply.body_read);
    reply.code
}

#[cfg(feature = "jobs")]
#[tokio::test]
async fn guesses_of_a_signature_or_a_token_are_limited_and_nothing_else_of_a_webhook() {
    let (doors, _monitor) = doors();
    let client = "192.0.2.1:1";
    let ours = |code| answered(&doors, client, "/webhooks/jobs", code);
    let runpods = |code| answered(&doors, client, "/webhooks/runpod/a-token", code);
    for _ in 0..10 * BURST {
        for code in [Code::InvalidRequest, Code::Unavailable, Code::Timeout] {
            assert_eq!(ours(code), Some(code));
        }
    }
    assert_eq!(ours(Code::InvalidSignature), Some(Code::InvalidSignature));
    assert_eq!(runpods(Code::NotFound), Some(Code::NotFound));
    assert_eq!(ours(Code::InvalidSignature), Some(Code::InvalidSignature));
    // The bucket is one, and it is empty: for guesses, not for anything that is none.
    assert_eq!(ours(Code::InvalidSignature), Some(Code::RateLimited));
    assert_eq!(runpods(Code::NotFound), Some(Code::RateLimited));
    assert_eq!(ours(Code::InvalidRequest), Some(Code::InvalidRequest));
    // Of another client, and of an exempt one.
    let other = answered(
        &doors,
        "192.0.2.2:1",
        "/webhooks/jobs",
        Code::InvalidSignature,
    );
    assert_eq!(other, Some(Code::InvalidSignature));
    for _ in 0..2 * BURST {
        let exempt = answered(
            &doors,
            "198.51.100.7:1",
            "/webhooks/jobs",
            Code::InvalidSignature,
        );
        assert_eq!(exempt, Some(Code::InvalidSignature));
    }
}

#[tokio::test]
async fn a_404_of_any_other_path_is_counted_as_a_request_and_not_as_a_guess() {
    let (doors, _monitor) = doors();
    let of = |target| answered(&doors, "192.0.2.1:1", target, Code::NotFound);
    for _ in 0..BURST {
        assert_eq!(of("/nothing"), Some(Code::NotFound));
    }
    assert_eq!(of("/nothing"), Some(Code::RateLimited));
    // The bucket of failed keys is still full.
    let client = Client::direct("192.0.2.1:1".parse().unwrap());
    let limiter = doors.limiter.as_ref().unwrap();
    let decision = limiter.check(Bucket::FailedKey(client), Instant::now());
    let Decision::Allowed { remaining, .. } = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(remaining, 2);
}

use super::*;
use crate::jobs::event::{Status, Told};

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderValue;
use secrecy::SecretString;

const SECRET: &str = "whsec_0123456789abcdef";
const DAY: Duration = Duration::from_hours(24);
const BODY: &str = r#"{"event":"job.completed","job_id":"j1","url":"https://h/p?sig=S"}"#;

fn known() -> JobWebhooks {
    JobWebhooks {
        secrets: vec![SecretString::from(SECRET)],
        ..JobWebhooks::default()
    }
}

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_795_659_421).unwrap()
}

fn signed(at: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn sent_at(offset: time::Duration) -> String {
    crate::clock::rfc3339(now() + offset)
}

fn incoming(headers: &[(&'static str, &str)], body: &str) -> Incoming {
    let header = |&(name, value): &(&'static str, &str)| {
        (
            http::HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )
    };
    Incoming {
        headers: headers.iter().map(header).collect(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        request_id: "req_1".to_owned(),
        memory: None,
    }
}

fn taken(at: &str, body: &str) -> Result<Delivery, Refusal> {
    let headers = [
        (DELIVERY_ID, "d1"),
        (TIMESTAMP, at),
        (SIGNATURE, &signed(at, body)),
    ];
    webhook(&incoming(&headers, body), &known(), DAY, now())
}

#[test]
fn a_signed_delivery_is_taken_with_its_own_time_and_without_query_strings() {
    let at = sent_at(time::Duration::seconds(-60));
    let delivery = taken(&at, BODY).unwrap();
    assert_eq!(delivery.told, Told::Reached(Status::Completed));
    assert_eq!(
        (delivery.delivery_id.as_str(), delivery.job_id.as_str()),
        ("d1", "j1")
    );
    assert_eq!(delivery.received_at - delivery.at, 60_000);
    assert_eq!(
        delivery.digest,
        <[u8; 32]>::from(Sha256::digest(format!("{at}.{BODY}")))
    );
    assert_eq!(delivery.body, BODY.replace("?sig=S", ""));
}

#[test]
fn a_clock_may_be_five_minutes_ahead_and_a_delivery_a_day_late() {
    let taken = |offset: time::Duration| taken(&sent_at(offset), BODY);
    let minutes = time::Duration::minutes;
    assert_eq!(
        taken(minutes(4)).unwrap().at,
        milliseconds(now()),
        "never after it came"
    );
    assert!(taken(minutes(-23 * 60)).is_ok());
    for refused in [minutes(6), minutes(-25 * 60)] {
        assert!(matches!(taken(refused), Err(Refusal::InvalidSignature(_))));
    }
}

#[test]
fn what_is_missing_or_sent_twice_is_named() {
    let at = sent_at(time::Duration::ZERO);
    let signature = signed(&at, BODY);
    let all = [
        (DELIVERY_ID, "d1"),
        (TIMESTAMP, at.as_str()),
        (SIGNATURE, signature.as_str()),
    ];
    let refusal = |headers: &[(&'static str, &str)]| {
        webhook(&incoming(headers, BODY), &known(), DAY, now()).unwrap_err()
    };
    for (index, (name, _)) in all.iter().enumerate() {
        let mut fewer = all.to_vec();
        fewer.remove(index);
        let more = [&all[..], &[all[index]]].concat();
        let mut appended = incoming(&all, BODY);
        appended
            .headers
            .append(more[3].0, HeaderValue::from_str(more[3].1).unwrap());
        let twice = webhook(&appended, &known(), DAY, now()).unwrap_err();
        for refused in [refusal(&fewer), twice] {
            let (Refusal::InvalidSignature(message) | Refusal::Invalid(message)) = refused else {
                panic!("{refused:?}");
            };
            assert!(message.to_lowercase().starts_with(name), "{message}");
        }
    }
}

#[test]
fn a_signature_of_anything_else_is_refused() {
    let at = sent_at(time::Duration::ZERO);
    let headers = [
        (DELIVERY_ID, "d1"),
        (TIMESTAMP, &at),
        (SIGNATURE, &signed(&at, "{}")),
    ];
    let refused = webhook(&incoming(&headers, BODY), &known(), DAY, now());
    assert!(matches!(refused, Err(Refusal::InvalidSignature(_))));
    // Even what could not be read is not read before it is known who sent it.
    let refused = webhook(&incoming(&headers, "not json"), &known(), DAY, now());
    assert!(matches!(refused, Err(Refusal::InvalidSignature(_))));
    assert!(matches!(taken(&at, "not json"), Err(Refusal::Invalid(_))));
}

#[test]
fn runpods_delivery_is_known_by_job_and_status() {
    let body = r#"{"id":"r-1","status":"FAILED","error":"boom https://h/?S","input":{"a":1}}"#;
    let first = runpod(&incoming(&[], body), now()).unwrap();
    let again = runpod(&incoming(&[], &body.replace("boom", "bang")), now()).unwrap();
    assert_eq!(first.delivery_id, "runpod:r-1:FAILED");
    assert_eq!(first.digest, again.digest);
    assert_eq!(
        first.body,
        r#"{"error":"boom https://h/","id":"r-1","status":"FAILED"}"#
    );
    let other = runpod(&incoming(&[], &body.replace("FAILED", "COMPLETED")), now()).unwrap();
    assert_ne!(first.digest, other.digest);
}

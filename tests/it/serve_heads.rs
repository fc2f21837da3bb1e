//! Heads: what is too much, what is nonsense, and what only looks unusual.

use infra_health::serve::{Cause, MAX_HEAD_BYTES};

use crate::support::raw::{Answer, get};
use crate::support::served::{Served, patient};

/// Sends `bytes`; the library's own answer and nothing after it.
async fn refusal(served: &Served, bytes: impl AsRef<[u8]>) -> Answer {
    let mut raw = served.connect().await;
    raw.send(bytes).await;
    let answer = raw.answer().await.expect("an answer");
    assert!(answer.closes(), "{}", answer.head);
    assert_eq!(answer.body, b"");
    assert_eq!(raw.closed().await, b"");
    answer
}

fn with_fields(count: usize) -> String {
    format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(count))
}

fn of_size(bytes: usize) -> String {
    let rest = "GET / HTTP/1.1\r\nx: \r\n\r\n".len();
    format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(bytes - rest))
}

#[tokio::test]
async fn fields_are_limited_to_100() {
    let served = Served::start(patient()).await;
    let mut raw = served.connect().await;
    raw.send(with_fields(100)).await;
    assert_eq!(raw.answer().await.unwrap().status, 200);
    drop(raw);
    assert_eq!(refusal(&served, with_fields(101)).await.status, 431);
    assert_eq!(served.end().await.count(Cause::HeadTooLarge), 1);
}

#[tokio::test]
async fn heads_are_limited_to_16_kib() {
    let served = Served::start(patient()).await;
    let mut raw = served.connect().await;
    raw.send(of_size(MAX_HEAD_BYTES)).await;
    assert_eq!(raw.answer().await.unwrap().status, 200);
    drop(raw);
    assert_eq!(
        refusal(&served, of_size(MAX_HEAD_BYTES + 1)).await.status,
        431
    );
    // An address over that limit is a head over that limit.
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000));
    assert_eq!(refusal(&served, long).await.status, 431);
    assert_eq!(served.end().await.count(Cause::HeadTooLarge), 2);
}

#[tokio::test]
async fn the_refusal_reaches_a_client_that_is_still_sending() {
    let served = Served::start(patient()).await;
    let mut raw = served.connect().await;
    assert!(raw.send(of_size(8 << 20)).await, "reset while sending");
    assert_eq!(raw.answer().await.unwrap().status, 431);
    assert_eq!(raw.closed().await, b"");
    served.end().await;
}

#[tokio::test]
async fn nonsense_is_a_bad_request() {
    let served = Served::start(patient()).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"hello?\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\n\r\n",
    ] {
        let answer = refusal(&served, bytes).await;
        assert_eq!(answer.status, 400, "{}", bytes.escape_ascii());
        assert!(!answer.head.contains("x-request-id"));
    }
    assert_eq!(served.end().await.count(Cause::BadRequest), 6);
}

#[tokio::test]
async fn http2_gets_a_closed_connection() {
    let served = Served::start(patient()).await;
    let mut raw = served.connect().await;
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await;
    assert_eq!(raw.closed().await, b"");
    assert_eq!(served.end().await.count(Cause::Http2), 1);
}

#[tokio::test]
async fn pipelined_requests_are_all_answered_in_order() {
    let served = Served::start(patient()).await;
    let mut raw = served.connect().await;
    let paths: Vec<_> = (0..50).map(|n| format!("/{n}")).collect();
    raw.send(paths.iter().map(|path| get(path)).collect::<String>())
        .await;
    for path in paths {
        assert_eq!(raw.answer().await.unwrap().body, path.as_bytes());
    }
    served.end().await;
}

#[tokio::test]
async fn a_client_may_shut_its_side_after_the_request() {
    let served = Served::start(patient()).await;
    let mut at_once = served.connect().await;
    at_once.send(get("/at-once")).await;
    at_once.half_close().await;
    assert_eq!(at_once.answer().await.unwrap().body, b"/at-once");
    assert_eq!(at_once.closed().await, b"");
    let mut held = served.connect_held().await;
    held.half_close().await;
    // Whatever the server makes of that, it has made of it once another connection was answered.
    assert_eq!(
        served.connect().await.ask("/other").await.unwrap().status,
        200
    );
    served.release();
    assert_eq!(held.answer().await.unwrap().body, b"held");
    served.end().await;
}

#[tokio::test]
async fn http10_and_connection_close_end_the_connection() {
    let served = Served::start(patient()).await;
    for request in [
        "GET /x HTTP/1.0\r\n\r\n",
        "GET /x HTTP/1.1\r\nconnection: close\r\n\r\n",
    ] {
        let mut raw = served.connect().await;
        raw.send(request).await;
        assert_eq!(raw.answer().await.unwrap().body, b"/x");
        assert_eq!(raw.closed().await, b"");
    }
    served.end().await;
}

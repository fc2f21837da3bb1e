//! Upstreams that misbehave in every way, through the whole service: each is named right, the service
//! goes on answering, and it recovers by itself.

use futures_util::future::join_all;

use crate::support::app::TestApp;
use crate::support::fixture::{Fixture, Reply, Response};
use crate::support::upstreams::{Scripted, fit_endpoint, listing};

/// How both upstreams answer, and the reason and words that both checks must give.
struct Row {
    name: &'static str,
    runpod: Reply,
    r2: Reply,
    reason: &'static str,
    message: &'static str,
}

fn alike(
    name: &'static str,
    reply: impl Into<Reply>,
    reason: &'static str,
    message: &'static str,
) -> Row {
    let reply = reply.into();
    Row {
        name,
        runpod: reply.clone(),
        r2: reply,
        reason,
        message,
    }
}

/// The good answers of both, spoilt in one way.
fn spoilt(
    name: &'static str,
    spoil: impl Fn(Response) -> Reply,
    reason: &'static str,
    message: &'static str,
) -> Row {
    Row {
        name,
        runpod: spoil(fit_endpoint()),
        r2: spoil(listing()),
        reason,
        message,
    }
}

fn page() -> Response {
    Response::new(
        200,
        "<!DOCTYPE html><html><body>Please sign in</body></html>",
    )
    .header("content-type", "text/html")
}

fn rows() -> Vec<Row> {
    const INVALID: &str = "invalid_response";
    vec![
        alike("hanging", Reply::Hang, "timeout", ""),
        spoilt("dripping", Reply::Drip, "timeout", ""),
        spoilt("endless", Reply::Endless, INVALID, "larger than 64 KiB"),
        alike(
            "large",
            Response::new(200, vec![b' '; 1 << 20]),
            INVALID,
            "larger than 64 KiB",
        ),
        alike(
            "closing",
            Reply::Close,
            "connect_error",
            "closed before an answer came",
        ),
        spoilt(
            "cut in the head",
            |good| Reply::CutAfter(20, good),
            "connect_error",
            "closed before an answer came",
        ),
        spoilt(
            "cut in the body",
            |good| Reply::CutAfter(120, good),
            INVALID,
            "cut short",
        ),
        spoilt(
            "longer told than sent",
            |good| Reply::CutAfter(usize::MAX, good.header("content-length", "9999")),
            INVALID,
            "cut short",
        ),
        spoilt(
            "shorter told than sent",
            |good| good.header("content-length", "40").into(),
            INVALID,
            "",
        ),
        spoilt(
            "compressed",
            |good| good.header("content-encoding", "gzip").into(),
            INVALID,
            "compressed",
        ),
        alike("HTML", page(), INVALID, ""),
        alike("empty", Response::new(200, ""), INVALID, ""),
        alike("no content", Response::new(204, ""), INVALID, ""),
        alike(
            "not HTTP",
            Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
            INVALID,
            "not HTTP",
        ),
        alike(
            "an endless head",
            Reply::Raw([b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'a'; 1 << 20]].concat()),
            INVALID,
            "not HTTP",
        ),
        alike(
            "a page of the edge",
            Response::new(502, "<html>").header("content-type", "text/html"),
            "server_error",
            "",
        ),
        alike(
            "deeply nested",
            Response::new(200, "[".repeat(60_000)),
            INVALID,
            "",
        ),
    ]
}

const CHECKS: [&str; 2] = ["runpod_configured", "r2_configured"];

async fn play(row: Row) {
    let upstreams = Scripted::start(row.runpod, row.r2).await;
    let app = TestApp::start(upstreams.pairs(), &[("CHECK_INTERVAL", "400ms")]);
    for check in CHECKS {
        let details = app.until_reason(check, row.reason).await;
        let message = details["message"].as_str().unwrap();
        assert!(
            message.contains(row.message),
            "{}: {check}: {message}",
            row.name
        );
        assert_eq!(details["status"], "fail", "{}: {check}", row.name);
    }
    let body = app.get("/health").await.json();
    assert_eq!(body["status"], "degraded", "{}", row.name);
    for check in CHECKS {
        assert_eq!(body["checks"][check], false, "{}: {check}", row.name);
    }
    assert_eq!(app.get("/livez").await.status, 200, "{}", row.name);
    upstreams.runpod.set(fit_endpoint());
    upstreams.r2.set(listing());
    app.until_status("healthy").await;
}

#[tokio::test]
async fn each_is_named_and_harms_nothing_else() {
    join_all(rows().into_iter().map(play)).await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Fixture::start(fit_endpoint()).await.unwrap();
    let moved = Response::new(307, "").header("location", elsewhere.url());
    play(alike("redirect", moved, "redirected", "")).await;
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn entities_are_not_expanded() {
    let levels: String = (1..10)
        .map(|level| (level, format!("&l{};", level - 1).repeat(10)))
        .flat_map(|(level, refers)| [format!("<!ENTITY l{level} "), format!("\"{refers}\">")])
        .collect();
    let bomb = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY l0 \"lol\">{levels}]>\
         <ListBucketResult><Name>&l9;</Name></ListBucketResult>"
    );
    let outside = "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/hostname\">]>\
        <ListBucketResult><Name>&f;</Name></ListBucketResult>";
    let json_typed = "<ListBucketResult/>";
    let json_typed = Response::new(200, json_typed).header("content-type", "application/json");
    let xml = |body: String| Response::new(200, body).header("content-type", "application/xml");
    for reply in [xml(bomb), xml(outside.to_owned()), json_typed] {
        let name = "XML";
        play(Row {
            name,
            runpod: Response::new(200, "{}").into(),
            r2: reply.into(),
            reason: "invalid_response",
            message: "",
        })
        .await;
    }
}

//! What the whole service bounds: calls of upstreams, waits of callers, the age of results.

use infra_health::checks;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::caller::{KEY, eventually, head};
use crate::support::fixture::{Fixture, Reply, Response};
use crate::support::raw::Raw;
use crate::support::upstreams::{Scripted, Upstreams, fit_endpoint, listing};

/// Checks that run once and then only on demand: what else calls an upstream shows.
const ONCE: [(&str, &str); 3] = [
    ("CHECK_INTERVAL", "1h"),
    ("CHECK_TIMEOUT", "1h"),
    ("CHECK_RETRY_INTERVAL", "1h"),
];

#[tokio::test]
async fn no_request_calls_an_upstream_and_refreshes_are_bounded() {
    let upstreams = Scripted::start(fit_endpoint(), listing()).await;
    let app = TestApp::start(upstreams.pairs(), &ONCE);
    app.until_status("healthy").await;
    let calls = || (upstreams.runpod.calls(), upstreams.r2.calls());
    assert_eq!(calls(), (1, 1), "one run");

    let mut raw = Raw::connect(app.0).await;
    let headers = [("x-api-key", KEY), ("cache-control", "no-cache")];
    for _ in 0..50 {
        for target in [
            "/health",
            "/health?verbose",
            "/health?exclude=api",
            "/health/r2_configured",
            "/health?wait=healthy",
            "/readyz",
            "/livez",
            "/nowhere",
        ] {
            raw.send(head("GET", target, &headers)).await;
            raw.answer().await.unwrap();
        }
    }
    assert_eq!(calls(), (1, 1), "400 requests");

    let refresh = async || {
        let answer = app.ask("POST", "/health/refresh", &headers).await;
        assert_eq!(answer.status, 200, "{answer}");
        answer.json()["fresh"].clone()
    };
    let all: Vec<_> = checks::unconfigured().iter().map(|i| i.name).collect();
    assert_eq!(refresh().await, json!(all));
    assert_eq!(refresh().await, json!([]), "too early: nothing new");
    for fresh in futures_util::future::join_all((0..20).map(|_| refresh())).await {
        assert_eq!(fresh, json!([]));
    }
    assert_eq!(calls(), (2, 2), "many refreshes within one retry interval");
}

#[tokio::test]
async fn the_first_round_is_waited_for_and_no_longer_than_the_deadline() {
    let upstreams = Scripted::start(Reply::Hang, listing()).await;
    let mut variables = ONCE.to_vec();
    variables.push(("HEALTH_DEADLINE", "50ms"));
    let app = TestApp::start(upstreams.pairs(), &variables);
    let first = app.get("/health").await;
    assert_eq!(
        (first.status, first.json()["status"].as_str()),
        (200, Some("degraded"))
    );
    assert!(first.json()["checked_at"].is_null());
    let details = app.until_reason("runpod_configured", "starting").await;
    assert_eq!(details["status"], "fail");
    app.until("/health", |answer| {
        answer.json()["checks"]["r2_configured"] == true
    })
    .await;
    let body = app.get("/health").await.json();
    assert_eq!(body["checks"]["runpod_configured"], false);
    let ready = app.get("/readyz").await;
    assert_eq!(
        (ready.status, ready.json()["reason"].as_str()),
        (503, Some("starting"))
    );
    assert_eq!(app.get("/livez").await.status, 200);
    // A check that has ended is told without the other.
    assert_eq!(app.get("/health/r2_configured").await.status, 200);

    // With time enough the very first request gets the round's result.
    let upstreams = Upstreams::start().await;
    let patient = [("HEALTH_DEADLINE", "10s")];
    let app = TestApp::start(upstreams.pairs(), &patient);
    assert_eq!(app.get("/health").await.json()["status"], "healthy");
}

#[tokio::test]
async fn an_api_that_does_not_answer_holds_no_replica_back() {
    let upstreams = Upstreams::start().await;
    let api = Fixture::start(Reply::Hang).await.unwrap();
    let url = format!("{}/health", api.url());
    let mut variables = ONCE.to_vec();
    variables.push(("API_HEALTH_URL", &url));
    let app = TestApp::start(upstreams.pairs(), &variables);
    app.until("/readyz", |answer| answer.status == 200).await;
    let details = app.until_reason("api", "starting").await;
    assert_eq!(details["status"], "fail", "it is not called true for that");
}

#[tokio::test]
async fn a_result_that_ages_turns_stale() {
    let upstreams = Upstreams::start().await;
    let app = TestApp::start(upstreams.pairs(), &[("CHECK_INTERVAL", "100ms")]);
    app.until_status("healthy").await;
    upstreams.runpod.set(Response::new(429, ""));
    let details = app.until_reason("runpod_configured", "stale").await;
    assert_eq!(
        (details["status"].as_str(), details["last_result"].as_str()),
        (Some("fail"), Some("warn"))
    );
    let body = app.get("/health").await.json();
    assert_eq!(body["checks"]["runpod_configured"], false);
    upstreams.runpod.set(fit_endpoint());
    app.until("/health", |answer| {
        answer.json()["checks"]["runpod_configured"] == true
    })
    .await;
}

#[tokio::test]
async fn a_wait_ends_with_its_client() {
    let upstreams = Scripted::start(Reply::Hang, listing()).await;
    let app = TestApp::start(upstreams.pairs(), &ONCE);
    let headers = [("x-api-key", KEY)];
    let long = head("GET", "/health?wait=healthy&timeout=60s", &headers);
    let mut waiting = Vec::new();
    for _ in 0..64 {
        let mut raw = Raw::connect(app.0).await;
        raw.send(&long).await;
        waiting.push(raw);
    }
    let short = "/health?wait=healthy&timeout=1s";
    app.until(short, |answer| answer.status == 429).await;

    // One shuts its side only: it is told how things are.
    let mut half = waiting.pop().unwrap();
    half.half_close().await;
    let answer = half.answer().await.unwrap();
    assert_eq!(answer.status, 503, "{answer}");
    assert_eq!(answer.json()["error"]["code"], "degraded");
    // The others are gone for good, and every place is free again.
    drop(waiting);
    eventually("64 places", async || {
        let all = (0..64).map(|_| app.get_as_operator(short));
        let mut all = futures_util::future::join_all(all).await.into_iter();
        all.all(|answer| answer.status == 503)
    })
    .await;
}

#[tokio::test]
async fn a_refresh_ends_with_its_client() {
    let upstreams = Scripted::start(Reply::Hang, listing()).await;
    let app = TestApp::start(upstreams.pairs(), &ONCE);
    let mut raw = Raw::connect(app.0).await;
    raw.send(head("POST", "/health/refresh", &[("x-api-key", KEY)]))
        .await;
    raw.half_close().await;
    let answer = raw.answer().await.unwrap();
    assert_eq!(answer.json()["fresh"], json!([]), "{answer}");
}

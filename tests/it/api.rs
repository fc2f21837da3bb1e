//! `api`: the process's own measurements and `API_HEALTH_URL`.

use std::sync::Arc;
use std::time::Duration;

use infra_health::check::{Check, Context, Outcome};
use infra_health::checks::api::{ApiCheck, ApiData};
use infra_health::checks::client::Client;
use infra_health::clock::Clock;
use infra_health::reason::Class;
use infra_health::vitals::{Descriptors, Vitals};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::support::fixture::{Fixture, Reply, Response};

const PATIENCE: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(200);

/// One run against this URL, with a clock that is ahead.
async fn run(
    vitals: &Arc<Vitals>,
    url: Option<&str>,
    timeout: Duration,
    ahead: Duration,
) -> Outcome<ApiData> {
    let url = url.map(|url| url.parse().unwrap());
    let mut check = ApiCheck::new(Arc::clone(vitals), url, &Client::new(None).unwrap());
    check
        .run(&Context {
            clock: Clock::default().advanced(ahead),
            timeout,
        })
        .await
}

fn codes(outcome: &Outcome<ApiData>) -> Vec<&'static str> {
    outcome
        .findings
        .iter()
        .map(|finding| finding.reason.code)
        .collect()
}

/// One run against a URL that answers so.
async fn asked(reply: impl Into<Reply>) -> Outcome<ApiData> {
    let fixture = Fixture::start(reply).await.unwrap();
    run(
        &Arc::default(),
        Some(&fixture.url()),
        PATIENCE,
        Duration::ZERO,
    )
    .await
}

fn sampled_now() -> Arc<Vitals> {
    let vitals = Vitals::new();
    vitals.record_lag(Instant::now(), Duration::ZERO);
    vitals.record_descriptors(Descriptors {
        open: 100,
        limit: 1_024,
    });
    Arc::new(vitals)
}

#[tokio::test]
async fn without_a_url_a_well_process_passes() {
    for vitals in [Arc::default(), sampled_now()] {
        let outcome = run(&vitals, None, PATIENCE, Duration::ZERO).await;
        assert_eq!(codes(&outcome), [""; 0]);
    }
    let outcome = run(&sampled_now(), None, PATIENCE, Duration::ZERO).await;
    let data = serde_json::to_value(outcome.data.unwrap()).unwrap();
    assert_eq!(
        data,
        serde_json::json!({
            "late_samples": 0,
            "descriptors": {"open": 100, "limit": 1_024},
            "health_url": null,
        })
    );
}

#[tokio::test]
async fn a_runtime_that_stores_no_sample_is_stalled() {
    let vitals = sampled_now();
    let outcome = run(&vitals, None, PATIENCE, Duration::from_millis(4_100)).await;
    assert_eq!(codes(&outcome), ["event_loop_stalled"]);
    assert_eq!(outcome.findings[0].class(), Class::Down);
}

#[tokio::test]
async fn few_descriptors_left_is_a_failure() {
    let vitals = sampled_now();
    vitals.record_descriptors(Descriptors {
        open: 1_000,
        limit: 1_024,
    });
    let outcome = run(&vitals, None, PATIENCE, Duration::ZERO).await;
    assert_eq!(codes(&outcome), ["descriptors_exhausted"]);
    assert_eq!(outcome.findings[0].detail.to_string(), "24 left of 1024");
}

#[tokio::test]
async fn any_2xx_passes_whatever_its_body() {
    assert_eq!(codes(&asked(Response::new(200, "{}")).await), [""; 0]);
    assert_eq!(codes(&asked(Response::new(204, "")).await), [""; 0]);
    assert_eq!(
        codes(&asked(Reply::Endless(Response::new(200, ""))).await),
        [""; 0]
    );
    assert_eq!(
        codes(&asked(Response::new(200, "\u{1f4a5}<html>")).await),
        [""; 0]
    );
}

#[tokio::test]
async fn the_call_carries_the_guard_against_latching() {
    let fixture = Fixture::start(Response::new(200, "")).await.unwrap();
    let url = format!("{}/health?a=b", fixture.url());
    run(&Arc::default(), Some(&url), PATIENCE, Duration::ZERO).await;
    let request = &fixture.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("GET", "/health?a=b")
    );
    assert_eq!(request.header("x-infra-health-probe"), Some("1"));
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn any_other_status_is_unhealthy() {
    for status in [301, 400, 401, 404, 408, 500, 503] {
        let outcome = asked(Response::new(status, "").header("location", "/")).await;
        assert_eq!(codes(&outcome), ["api_unhealthy"], "{status}");
        assert_eq!(outcome.findings[0].class(), Class::Transient);
        assert_eq!(
            outcome.findings[0].detail.to_string(),
            format!("HTTP {status}")
        );
        assert_eq!(
            outcome.data.unwrap().health_url.unwrap().status,
            Some(status)
        );
    }
}

#[tokio::test]
async fn a_429_keeps_the_verdict() {
    let outcome = asked(Response::new(429, "").header("retry-after", "3")).await;
    assert_eq!(codes(&outcome), ["rate_limited"]);
    assert_eq!(outcome.findings[0].class(), Class::Deferred);
    assert_eq!(outcome.retry_after, Some(Duration::from_secs(3)));
}

#[tokio::test]
async fn no_answer_is_unreachable_and_says_why() {
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = run(
        &Arc::default(),
        Some(&format!("http://{free}/")),
        PATIENCE,
        Duration::ZERO,
    )
    .await;
    assert_eq!(codes(&refused), ["api_unreachable"]);
    assert_eq!(
        refused.findings[0].detail.to_string(),
        "no connection could be opened, or it was closed before an answer"
    );
    let unknown = run(
        &Arc::default(),
        Some("http://api.invalid/"),
        PATIENCE,
        Duration::ZERO,
    )
    .await;
    assert_eq!(
        unknown.findings[0].detail.to_string(),
        "the host name could not be resolved"
    );
    let hung = Fixture::start(Reply::Hang).await.unwrap();
    let hung = run(&Arc::default(), Some(&hung.url()), SHORT, Duration::ZERO).await;
    assert_eq!(codes(&hung), ["api_unreachable"]);
    assert_eq!(hung.data.unwrap().health_url.unwrap().status, None);
}

#[tokio::test]
async fn a_failing_url_hides_nothing_of_the_process() {
    let fixture = Fixture::start(Response::new(500, "")).await.unwrap();
    let vitals = sampled_now();
    vitals.record_descriptors(Descriptors {
        open: 1_000,
        limit: 1_024,
    });
    let outcome = run(
        &vitals,
        Some(&fixture.url()),
        PATIENCE,
        Duration::from_mins(1),
    )
    .await;
    assert_eq!(
        codes(&outcome),
        [
            "event_loop_stalled",
            "descriptors_exhausted",
            "api_unhealthy"
        ]
    );
}

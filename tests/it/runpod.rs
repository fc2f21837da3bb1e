//! `runpod_configured`: every row of the decision table, through a real socket. What needs time is played
//! by a clock that is ahead.

use std::time::Duration;

use infra_health::check::{Check, Context, Outcome};
use infra_health::checks::client::Client;
use infra_health::checks::runpod::{RunPodCheck, RunPodData};
use infra_health::clock::Clock;
use infra_health::config::secret::Current;
use infra_health::config::{Problem, RunPod, RunPodEndpoint, Setup};
use infra_health::detail::{Detail, Label};
use infra_health::reason::Class;
use tokio::net::TcpListener;

use crate::support::fixture::{Fixture, Reply, Response};

const PATIENCE: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(200);
const STEP: Duration = Duration::from_secs(30);
const KEY: &str = "rpa_CANARY0123456789";

const ZERO: &str = r#"{"jobs":{"completed":31,"failed":0,"inProgress":0,"inQueue":0,"retried":0},"workers":{"idle":0,"initializing":0,"ready":0,"running":0,"throttled":0,"unhealthy":0}}"#;

/// An answer with all eleven counts: `ZERO` with some of them changed.
fn counts(changes: &[(&str, u64)]) -> Response {
    let mut body: serde_json::Value = serde_json::from_str(ZERO).unwrap();
    for (name, count) in changes {
        let part = if body["jobs"].get(name).is_some() {
            "jobs"
        } else {
            "workers"
        };
        assert!(body[part].get(name).is_some(), "{name}");
        body[part][name] = (*count).into();
    }
    json(body.to_string())
}

fn json(body: impl Into<Vec<u8>>) -> Response {
    Response::new(200, body).header("content-type", "application/json")
}

fn settings(base: &str, ids: &[&'static str]) -> RunPod {
    let endpoint = |id: &&'static str| RunPodEndpoint {
        name: Label::new(format!("{id}-name")).unwrap(),
        id: Label::new(*id).unwrap(),
    };
    RunPod {
        base_url: format!("{base}/v2").parse().unwrap(),
        api_key: KEY.to_owned().into(),
        endpoints: ids.iter().map(endpoint).collect(),
        backlog_limit: None,
    }
}

/// A check and the time that has passed for it.
struct Rig {
    check: RunPodCheck,
    passed: Duration,
    timeout: Duration,
}

impl Rig {
    fn new(settings: Current<Setup<RunPod>>) -> Rig {
        let check = RunPodCheck::new(settings, &Client::new(None).unwrap());
        Rig {
            check,
            passed: Duration::ZERO,
            timeout: PATIENCE,
        }
    }

    fn ready(settings: RunPod) -> Rig {
        Rig::new(Current::fixed(Setup::Ready(settings)))
    }

    async fn run(&mut self) -> Outcome<RunPodData> {
        let clock = Clock::default().advanced(self.passed);
        self.passed += STEP;
        self.check
            .run(&Context {
                clock,
                timeout: self.timeout,
            })
            .await
    }

    async fn codes(&mut self) -> Vec<&'static str> {
        codes(&self.run().await)
    }
}

fn codes(outcome: &Outcome<RunPodData>) -> Vec<&'static str> {
    outcome
        .findings
        .iter()
        .map(|finding| finding.reason.code)
        .collect()
}

/// The outcome of one run against an endpoint that answers so.
async fn once(reply: impl Into<Reply>, timeout: Duration) -> Outcome<RunPodData> {
    let fixture = Fixture::start(reply).await.unwrap();
    let mut rig = Rig::ready(settings(&fixture.url(), &["abc"]));
    rig.timeout = timeout;
    rig.run().await
}

async fn assert_row(row: &str, reply: impl Into<Reply>, code: &str, class: Class) {
    let outcome = once(reply, PATIENCE).await;
    assert_eq!(codes(&outcome), [code], "{row}");
    let finding = &outcome.findings[0];
    assert_eq!(finding.class(), class, "{row}");
    assert_eq!(
        finding.subject.as_ref().unwrap().as_str(),
        "abc-name",
        "{row}"
    );
    assert_eq!(outcome.data.unwrap().endpoints[0].reasons, [code], "{row}");
}

/// A row over time: it is silent for `seconds`, then says `code`.
async fn assert_timed(row: &str, changes: &[(&str, u64)], seconds: u64, code: &str, class: Class) {
    let fixture = Fixture::start(counts(changes)).await.unwrap();
    let mut rig = Rig::ready(settings(&fixture.url(), &["abc"]));
    for step in 0..seconds / 30 {
        assert_eq!(rig.codes().await, [""; 0], "{row} at {} s", step * 30);
    }
    let outcome = rig.run().await;
    assert_eq!(codes(&outcome), [code], "{row}");
    assert_eq!(outcome.findings[0].class(), class, "{row}");
    fixture.set(counts(&[]));
    assert_eq!(rig.codes().await, [""; 0], "{row}: over");
}

#[tokio::test]
async fn a1_and_a2_make_no_call() {
    let missing = Setup::Missing(vec!["RUNPOD_API_KEY", "RUNPOD_ENDPOINT_ID"]);
    let malformed = Setup::Malformed(vec![Problem {
        variable: "RUNPOD_ENDPOINT_ID",
        wrong: Detail::new().text("is a URL"),
        accepted: "an endpoint id",
    }]);
    for (setup, code, words) in [
        (
            missing,
            "missing_config",
            "RUNPOD_API_KEY, RUNPOD_ENDPOINT_ID",
        ),
        (
            malformed,
            "malformed_config",
            "RUNPOD_ENDPOINT_ID is a URL; accepted: an endpoint id",
        ),
    ] {
        let outcome = Rig::new(Current::fixed(setup)).run().await;
        assert_eq!(codes(&outcome), [code]);
        assert_eq!(outcome.findings[0].class(), Class::Refuted);
        assert_eq!(outcome.findings[0].detail.to_string(), words);
        assert!(outcome.data.is_none());
    }
}

#[tokio::test]
async fn a_key_that_fits_no_header_makes_no_call() {
    let fixture = Fixture::start(counts(&[])).await.unwrap();
    let mut settings = settings(&fixture.url(), &["abc"]);
    settings.api_key = "two\nlines".to_owned().into();
    assert_eq!(Rig::ready(settings).codes().await, ["malformed_config"]);
    assert_eq!(fixture.calls(), 0);
}

#[tokio::test]
async fn the_call_is_a_get_of_the_health_url_with_key_and_user_agent() {
    let fixture = Fixture::start(counts(&[("idle", 1), ("ready", 1)]))
        .await
        .unwrap();
    let mut rig = Rig::ready(settings(&fixture.url(), &["abc"]));
    let outcome = rig.run().await;
    assert_eq!(codes(&outcome), [""; 0]);
    let request = &fixture.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("GET", "/v2/abc/health")
    );
    assert_eq!(
        request.header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert!(
        request
            .header("user-agent")
            .unwrap()
            .starts_with("infra-health/")
    );
    for shown in [format!("{:?}", rig.check), format!("{outcome:?}")] {
        assert!(!shown.contains("CANARY"), "{shown}");
    }
    let data = serde_json::to_value(outcome.data.unwrap()).unwrap();
    assert_eq!(data["endpoints"][0]["name"], "abc-name");
    assert_eq!(data["endpoints"][0]["id"], "abc");
    assert_eq!(data["endpoints"][0]["notes"], serde_json::json!(["ready"]));
    assert_eq!(data["endpoints"][0]["workers"]["idle"], 1);
    assert_eq!(data["endpoints"][0]["jobs"]["completed"], 31);
    assert!(data["endpoints"][0]["latency_ms"].is_u64());
}

#[tokio::test]
async fn b1_unknown_endpoint() {
    let row = Response::new(404, "endpoint not found");
    assert_row("B1", row, "endpoint_not_found", Class::Refuted).await;
}

#[tokio::test]
async fn b2_rejected_key() {
    let row = Response::new(401, "no token provided");
    assert_row("B2", row, "unauthorized", Class::Refuted).await;
}

#[tokio::test]
async fn b3_blocked_by_the_edge() {
    let html = Response::new(403, "<!DOCTYPE html><title>Attention Required!</title>")
        .header("content-type", "text/html; charset=UTF-8");
    assert_row("B3 html", html, "blocked_by_waf", Class::Transient).await;
    let code = Response::new(403, "error code: 1010").header("content-type", "text/plain");
    assert_row("B3 1010", code, "blocked_by_waf", Class::Transient).await;
}

#[tokio::test]
async fn b4_key_without_this_endpoint() {
    for body in [
        "",
        r#"{"error":"forbidden"}"#,
        r#"{"request_id":"ab1010cd"}"#,
    ] {
        assert_row("B4", Response::new(403, body), "forbidden", Class::Refuted).await;
    }
}

#[tokio::test]
async fn b5_rate_limited_keeps_the_verdict_and_says_how_long() {
    let outcome = once(Response::new(429, "").header("retry-after", "17"), PATIENCE).await;
    assert_eq!(codes(&outcome), ["rate_limited"]);
    assert_eq!(outcome.findings[0].class(), Class::Deferred);
    assert_eq!(outcome.retry_after, Some(Duration::from_secs(17)));
}

#[tokio::test]
async fn b6_provider_down_or_unreachable() {
    for status in [408, 500, 502, 503, 504, 524] {
        let row = Response::new(status, "oops");
        assert_row("B6", row, "server_error", Class::Transient).await;
    }
    assert_row(
        "B6 redirect",
        Response::new(302, ""),
        "redirected",
        Class::Refuted,
    )
    .await;
    assert_row("B6 closed", Reply::Close, "connect_error", Class::Transient).await;
    let hung = once(Reply::Hang, SHORT).await;
    assert_eq!(codes(&hung), ["timeout"]);
    let dripping = once(Reply::Drip(counts(&[])), SHORT).await;
    assert_eq!(codes(&dripping), ["timeout"]);

    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let mut rig = Rig::ready(settings(&format!("http://{free}"), &["abc"]));
    assert_eq!(rig.codes().await, ["connect_error"]);
    let mut rig = Rig::ready(settings("http://runpod.invalid", &["abc"]));
    assert_eq!(rig.codes().await, ["dns_error"]);
    let plain = Fixture::start(Reply::Raw(b"HTTP/1.1 400 no TLS here\r\n\r\n".to_vec()))
        .await
        .unwrap();
    let mut rig = Rig::ready(settings(&plain.url().replace("http:", "https:"), &["abc"]));
    assert_eq!(rig.codes().await, ["tls_error"]);
}

#[tokio::test]
async fn b7_an_answer_that_is_not_runpods() {
    for body in [
        "",
        "ok",
        "<html></html>",
        "[]",
        "{}",
        r#"{"workers":[]}"#,
        r#"{"workers":{"idle":-1}}"#,
    ] {
        assert_row(body, json(body), "invalid_response", Class::Transient).await;
    }
    let odd = Response::new(204, "").header("content-length", "0");
    assert_row("B7 204", odd, "invalid_response", Class::Transient).await;
    assert_row(
        "B7 400",
        Response::new(400, "{}"),
        "invalid_response",
        Class::Transient,
    )
    .await;
    assert_row(
        "B7 endless",
        Reply::Endless(json("")),
        "invalid_response",
        Class::Transient,
    )
    .await;
    assert_row(
        "B7 cut",
        Reply::CutAfter(120, counts(&[])),
        "invalid_response",
        Class::Transient,
    )
    .await;
    assert_row(
        "B7 raw",
        Reply::Raw(b"SSH-2.0-x\r\n".to_vec()),
        "invalid_response",
        Class::Transient,
    )
    .await;
}

#[tokio::test]
async fn c3_workers_crashing() {
    let row = [("inQueue", 1), ("unhealthy", 2)];
    assert_timed("C3", &row, 60, "workers_crashing", Class::Down).await;
}

#[tokio::test]
async fn c4_capacity_throttled() {
    let row = [("inQueue", 1), ("throttled", 1)];
    assert_timed("C4", &row, 120, "capacity_throttled", Class::Down).await;
}

#[tokio::test]
async fn c5_no_workers() {
    assert_timed("C5", &[("inQueue", 6)], 120, "no_workers", Class::Down).await;
}

#[tokio::test]
async fn c6_cold_start_is_fine_for_seven_minutes() {
    let row = [("inQueue", 1), ("initializing", 1)];
    assert_timed("C6", &row, 420, "cold_start_slow", Class::Warn).await;
}

#[tokio::test]
async fn c7_jobs_not_dispatched() {
    let row = [("inQueue", 1), ("idle", 1), ("ready", 1)];
    assert_timed("C7", &row, 300, "jobs_not_dispatched", Class::Down).await;
}

#[tokio::test]
async fn c8_workers_unhealthy() {
    let beside_good_ones = [("unhealthy", 1), ("running", 1)];
    assert_timed(
        "C8 up",
        &beside_good_ones,
        120,
        "workers_unhealthy",
        Class::Warn,
    )
    .await;
    assert_timed(
        "C8 idle",
        &[("unhealthy", 1)],
        120,
        "workers_unhealthy",
        Class::Warn,
    )
    .await;
}

#[tokio::test]
async fn c9_capacity_constrained() {
    let row = [
        ("inQueue", 2),
        ("inProgress", 1),
        ("running", 1),
        ("throttled", 1),
    ];
    assert_timed("C9", &row, 300, "capacity_constrained", Class::Warn).await;
}

#[tokio::test]
async fn c10_backlog() {
    let busy = |queued, done| {
        counts(&[
            ("inQueue", queued),
            ("completed", done),
            ("inProgress", 1),
            ("running", 1),
        ])
    };
    let fixture = Fixture::start(busy(6, 0)).await.unwrap();
    let mut limited = settings(&fixture.url(), &["abc"]);
    limited.backlog_limit = Some(5);
    let outcome = Rig::ready(limited).run().await;
    assert_eq!(codes(&outcome), ["backlog_growing"]);
    assert_eq!(outcome.findings[0].class(), Class::Warn);
    assert_eq!(
        outcome.findings[0].detail.to_string(),
        "6 in queue, the limit is 5"
    );

    let mut rig = Rig::ready(settings(&fixture.url(), &["abc"]));
    for step in 0..20 {
        fixture.set(busy(3 + step, step));
        assert_eq!(rig.codes().await, [""; 0], "{step}");
    }
    fixture.set(busy(23, 20));
    assert_eq!(rig.codes().await, ["backlog_growing"]);
}

#[tokio::test]
async fn c11_and_c12_job_ratios_warn() {
    for (counter, code) in [
        ("failed", "job_failure_rate_high"),
        ("retried", "job_retries_high"),
    ] {
        let fixture = Fixture::start(counts(&[])).await.unwrap();
        let mut rig = Rig::ready(settings(&fixture.url(), &["abc"]));
        for step in 0..30 {
            fixture.set(counts(&[("completed", 31 + step), (counter, step)]));
            assert_eq!(rig.codes().await, [""; 0], "{code} at {} s", step * 30);
        }
        fixture.set(counts(&[("completed", 61), (counter, 30)]));
        let outcome = rig.run().await;
        assert_eq!(codes(&outcome), [code]);
        assert_eq!(outcome.findings[0].class(), Class::Warn);
    }
}

#[tokio::test]
async fn c15_fit_states() {
    let scaled: &[&str] = &["scaled_to_zero", "max_workers_not_verified"];
    let leftover: &[&str] = &["idle_throttled_record", "max_workers_not_verified"];
    let cases: [(Response, &[&str]); 4] = [
        (counts(&[("idle", 2), ("ready", 2)]), &["ready"]),
        (counts(&[]), scaled),
        (counts(&[("throttled", 1)]), leftover),
        (
            counts(&[("inQueue", 1), ("initializing", 1)]),
            &["cold_start"],
        ),
    ];
    for (answer, notes) in cases {
        let outcome = once(answer, PATIENCE).await;
        assert_eq!(codes(&outcome), [""; 0], "{notes:?}");
        assert_eq!(outcome.data.unwrap().endpoints[0].notes, notes);
    }
}

#[tokio::test]
async fn the_documented_two_field_form_passes() {
    let outcome = once(
        json(r#"{"workers":{"idle":1,"running":3},"jobs":{}}"#),
        PATIENCE,
    )
    .await;
    assert_eq!(codes(&outcome), [""; 0]);
    let data = serde_json::to_value(outcome.data.unwrap()).unwrap();
    assert_eq!(
        data["endpoints"][0]["workers"]["ready"],
        serde_json::Value::Null
    );
}

#[tokio::test]
async fn a_hung_endpoint_costs_no_other_its_result() {
    let fixture = Fixture::start(counts(&[])).await.unwrap();
    fixture.set_path("/v2/hung/health", Reply::Hang);
    fixture.set_path("/v2/gone/health", Response::new(404, ""));
    fixture.set_path(
        "/v2/busy/health",
        Response::new(429, "").header("retry-after", "5"),
    );
    fixture.set_path(
        "/v2/busier/health",
        Response::new(429, "").header("retry-after", "9"),
    );
    let ids = ["hung", "fit", "gone", "busy", "busier"];
    let mut rig = Rig::ready(settings(&fixture.url(), &ids));
    rig.timeout = Duration::from_secs(2);
    let outcome = rig.run().await;
    assert_eq!(
        codes(&outcome),
        [
            "timeout",
            "endpoint_not_found",
            "rate_limited",
            "rate_limited"
        ]
    );
    assert_eq!(
        outcome.worst().unwrap().subject.as_ref().unwrap().as_str(),
        "gone-name"
    );
    assert_eq!(outcome.retry_after, Some(Duration::from_secs(9)));
    let data = outcome.data.unwrap();
    assert_eq!(data.endpoints.len(), 5);
    assert!(data.endpoints[1].workers.is_some() && data.endpoints[0].workers.is_none());
}

#[tokio::test]
async fn a_rotated_key_and_a_new_endpoint_keep_the_others_history() {
    let fixture = Fixture::start(counts(&[("inQueue", 1)])).await.unwrap();
    let (sender, current) =
        Current::new(Setup::Ready(settings(&fixture.url(), &["old", "dropped"])));
    let mut rig = Rig::new(current);
    for _ in 0..4 {
        assert_eq!(rig.codes().await, [""; 0]);
    }
    let mut rotated = settings(&fixture.url(), &["new", "old"]);
    rotated.api_key = "rpa_rotated".to_owned().into();
    sender.send(Setup::Ready(rotated).into()).unwrap();
    let outcome = rig.run().await;
    assert_eq!(codes(&outcome), ["no_workers"]);
    assert_eq!(
        outcome.findings[0].subject.as_ref().unwrap().as_str(),
        "old-name"
    );
    let last = fixture.requests().pop().unwrap();
    assert_eq!(last.header("authorization"), Some("Bearer rpa_rotated"));
}

#[tokio::test]
async fn a_lone_failure_does_not_start_a_timed_row_anew() {
    let fixture = Fixture::start(counts(&[("inQueue", 1)])).await.unwrap();
    let mut rig = Rig::ready(settings(&fixture.url(), &["abc"]));
    rig.codes().await;
    rig.codes().await;
    fixture.set(Response::new(502, ""));
    assert_eq!(rig.codes().await, ["server_error"]);
    fixture.set(counts(&[("inQueue", 1)]));
    assert_eq!(rig.codes().await, [""; 0]);
    assert_eq!(rig.codes().await, ["no_workers"]);
}

//! `/metrics` of the whole service, against upstreams on real sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use infra_health::sample::Kind;
use infra_health::serve::Stage;

use crate::docs::families;
use crate::support::app::TestApp;
use crate::support::caller::{Caller, KEY, eventually, head};
use crate::support::exposition::Page;
use crate::support::folder::in_memory;
use crate::support::raw::{Answer, Raw};
use crate::support::upstreams::{BUCKET, Pairs, Upstreams};

const OPEN: (&str, &str) = ("METRICS_ADDR", "127.0.0.1:0");

/// The variables of `upstreams`, RunPod by a name that has to be resolved.
fn by_name(upstreams: &Upstreams) -> Pairs {
    let mut pairs = upstreams.pairs();
    for (name, value) in &mut pairs {
        if *name == "RUNPOD_ENDPOINT_BASE_URL" {
            *value = value.replace("127.0.0.1", "localhost");
        }
    }
    pairs
}

/// A healthy service and a client of its `METRICS_ADDR`.
async fn healthy(upstreams: &Upstreams, more: &[(&'static str, &str)]) -> (TestApp, Caller) {
    let more: Vec<_> = more.iter().copied().chain([OPEN]).collect();
    let app = TestApp::start(by_name(upstreams), &more);
    app.until_status("healthy").await;
    let scrapes = app.scrapes.unwrap();
    (app, scrapes)
}

/// Scrapes until the page is as wanted.
async fn until(scrapes: Caller, what: &str, wanted: impl Fn(&Page) -> bool) -> Page {
    let mut last = None;
    eventually(what, async || {
        let page = Page::of(scrapes).await;
        let holds = wanted(&page);
        last = Some(page);
        holds
    })
    .await;
    last.unwrap()
}

/// Of RunPod's job webhook.
const TOKEN: &str = "a-token-of-the-metrics-test-000000001";

async fn tell_job(app: &Caller) -> Answer {
    let body = r#"{"id":"r-1","status":"COMPLETED","executionTime":1000}"#;
    let length = body.len().to_string();
    let headers = [
        ("content-type", "application/json"),
        ("content-length", &length),
    ];
    let mut raw = Raw::connect(app.0).await;
    let head = head("POST", &format!("/webhooks/runpod/{TOKEN}"), &headers);
    raw.send(head + body).await;
    raw.answer().await.expect("no answer")
}

#[tokio::test]
async fn every_family_is_there_with_its_type_and_its_labels() {
    let upstreams = Upstreams::start().await;
    let mut more = vec![("PROBE_ADDR", "127.0.0.1:0")];
    let folder = in_memory();
    let database = format!("sqlite://{}", folder.path().join("jobs.db").display());
    if cfg!(feature = "jobs") {
        let token = ("RUNPOD_WEBHOOK_TOKEN", TOKEN);
        more.extend([
            token,
            ("JOBS_DATABASE_URL", &database),
            ("SIGNAL_WINDOW", "6s"),
        ]);
    }
    let (app, scrapes) = healthy(&upstreams, &more).await;
    // The first scrape is no answered request yet.
    Page::of(scrapes).await;
    if cfg!(feature = "jobs") {
        eventually("a job is taken", async || {
            tell_job(&app).await.status == 200
        })
        .await;
    }
    let page = until(scrapes, "a value of a signal", |page| {
        let values = page.of_name("infra_health_signal_value");
        !cfg!(feature = "jobs") || !values.is_empty()
    })
    .await;
    let found: BTreeMap<_, _> = page.families.iter().cloned().collect();
    let wanted = families()
        .iter()
        .map(|family| (family.name.to_owned(), family.kind.as_str().to_owned()))
        .collect();
    assert_eq!(found, wanted);
    for family in families() {
        let name = match family.kind {
            Kind::Counter | Kind::Gauge => family.name.to_owned(),
            Kind::Histogram | Kind::Summary => format!("{}_count", family.name),
        };
        let series = page.of_name(&name);
        assert!(!series.is_empty(), "{name}");
        let wanted: BTreeSet<_> = family.labels.iter().copied().collect();
        for (labels, value) in series {
            let labels: BTreeSet<_> = labels.keys().map(String::as_str).collect();
            assert_eq!(labels, wanted, "{name}");
            assert!(value.is_finite(), "{name}");
        }
    }
}

#[tokio::test]
async fn a_healthy_service_tells_what_its_upstreams_told() {
    let upstreams = Upstreams::start().await;
    let (_app, scrapes) = healthy(&upstreams, &[]).await;
    let page = Page::of(scrapes).await;
    assert!(page.is("infra_health_status", &[]));
    assert!(page.is("infra_health_ready", &[]));
    assert!(page.value("infra_health_monitor_heartbeat_age_seconds", &[]) < 30.0);
    for check in ["api", "runpod_configured", "r2_configured"] {
        let check = ("check", check);
        for family in ["infra_health_check_state", "infra_health_check_last_result"] {
            for (state, holds) in [("pass", true), ("warn", false), ("fail", false)] {
                assert_eq!(page.is(family, &[check, ("state", state)]), holds);
            }
        }
        assert!(page.is("infra_health_check_reason", &[check, ("reason", "ok")]));
        assert!(!page.is("infra_health_check_stale", &[check]));
        assert!(page.is("infra_health_check_counted", &[check]));
        assert!(page.value("infra_health_check_age_seconds", &[check]) < 60.0);
        let transitions =
            |to| page.value("infra_health_check_transitions_total", &[check, ("to", to)]);
        assert_eq!(
            ["pass", "warn", "fail"].map(transitions).map(f64::to_bits),
            [1.0_f64, 0.0, 0.0].map(f64::to_bits)
        );
        let passed = page.value("infra_health_check_runs_total", &[check, ("reason", "ok")]);
        let runs = page.value("infra_health_check_duration_seconds_count", &[check]);
        assert!(
            passed >= 1.0 && passed.to_bits() == runs.to_bits(),
            "{passed} of {runs}"
        );
        let success = page.value(
            "infra_health_check_last_success_timestamp_seconds",
            &[check],
        );
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        assert!((now - 60.0..=now).contains(&success), "{success}");
    }
    let endpoint = ("endpoint", "main");
    for (state, count) in [
        ("idle", 1.0),
        ("ready", 1.0),
        ("running", 0.0),
        ("throttled", 0.0),
    ] {
        let workers = page.value("infra_health_runpod_workers", &[endpoint, ("state", state)]);
        assert!((workers - count).abs() < f64::EPSILON, "{state}: {workers}");
    }
    let completed = [endpoint, ("result", "completed")];
    assert!((page.value("infra_health_runpod_jobs_total", &completed) - 31.0).abs() < f64::EPSILON);
    assert!(!page.is(
        "infra_health_runpod_jobs",
        &[endpoint, ("state", "in_queue")]
    ));
    assert!(page.value("infra_health_runpod_endpoint_latency_seconds", &[endpoint]) < 10.0);
    assert!(
        page.value("infra_health_r2_clock_offset_seconds", &[])
            .abs()
            < 60.0
    );
    let build = page.of_name("infra_health_build_info");
    assert_eq!(build[0].0["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn upstream_calls_are_counted_where_they_are_made() {
    let upstreams = Upstreams::start().await;
    let (_app, scrapes) = healthy(&upstreams, &[("CHECK_INTERVAL", "50ms")]).await;
    let of_runpod = [
        ("check", "runpod_configured"),
        ("operation", "endpoint_health"),
    ];
    let requests = "infra_health_upstream_requests_total";
    let page = until(scrapes, "three calls", |page| {
        page.value(requests, &of_runpod) >= 3.0
    })
    .await;
    let sent = page.value(requests, &of_runpod);
    // Sent and not read by the fixture yet, or read after the scrape.
    let made = f64::from(u32::try_from(upstreams.runpod.calls()).unwrap());
    assert!(sent <= made + 1.0, "{sent} counted, {made} made");
    let of_r2 = [("check", "r2_configured"), ("operation", "list_objects_v2")];
    assert!(page.value(requests, &of_r2) >= 1.0);
    let times = |check, phase| {
        let labels = [("check", check), ("phase", phase)];
        let total = |end| {
            page.get(
                &format!("infra_health_upstream_phase_duration_seconds_{end}"),
                &labels,
            )
        };
        Some((total("count")?, total("sum")?))
    };
    for check in ["runpod_configured", "r2_configured"] {
        for phase in ["connect", "wait", "body"] {
            let (count, sum) = times(check, phase).unwrap_or_else(|| panic!("{check} {phase}"));
            assert!(count >= 1.0 && sum > 0.0, "{check} {phase}: {count} {sum}");
        }
    }
    let (resolved, _) = times("runpod_configured", "dns").unwrap();
    let (connected, _) = times("runpod_configured", "connect").unwrap();
    assert!(
        resolved >= 1.0 && resolved <= connected,
        "{resolved} {connected}"
    );
    assert_eq!(
        times("r2_configured", "dns"),
        None,
        "an address is not resolved"
    );
    let (waited, _) = times("runpod_configured", "wait").unwrap();
    assert!(
        connected <= waited && waited <= sent,
        "connections are kept"
    );
}

#[tokio::test]
async fn a_failing_upstream_shows_and_counters_only_grow() {
    let upstreams = Upstreams::start().await;
    let (app, scrapes) = healthy(&upstreams, &[]).await;
    let before = Page::of(scrapes).await;
    upstreams.s3.delete_bucket(BUCKET).unwrap();
    let r2 = ("check", "r2_configured");
    let page = until(scrapes, "degraded", |page| {
        !page.is("infra_health_status", &[])
    })
    .await;
    assert!(
        page.is("infra_health_ready", &[]),
        "no upstream makes it unready"
    );
    assert!(page.is("infra_health_check_state", &[r2, ("state", "fail")]));
    assert!(!page.is("infra_health_check_state", &[r2, ("state", "pass")]));
    assert!(page.is("infra_health_check_last_result", &[r2, ("state", "fail")]));
    assert!(page.is(
        "infra_health_check_reason",
        &[r2, ("reason", "bucket_not_found")]
    ));
    assert_eq!(
        page.get("infra_health_check_reason", &[r2, ("reason", "ok")]),
        None
    );
    assert!(
        page.value(
            "infra_health_check_runs_total",
            &[r2, ("reason", "bucket_not_found")]
        ) >= 3.0
    );
    assert!(page.is(
        "infra_health_check_transitions_total",
        &[r2, ("to", "fail")]
    ));
    let (old, new) = (before.growing(), page.growing());
    assert!(old.len() > 100);
    for (series, value) in old {
        assert!(
            new[&series] >= value,
            "{series:?} fell from {value} to {}",
            new[&series]
        );
    }
    app.advance(Stage::Draining);
    let page = Page::of(scrapes).await;
    assert!(!page.is("infra_health_ready", &[]), "as /readyz says");
    assert_eq!(app.get("/readyz").await.status, 503);
}

#[tokio::test]
async fn without_configuration_and_with_checks_left_out() {
    let none: [(&str, &str); 0] = [];
    let app = TestApp::start(
        none,
        &[OPEN, ("HEALTH_EXCLUDE", "r2_configured,runpod_configured")],
    );
    app.until_status("healthy").await;
    let r2 = ("check", "r2_configured");
    let missing = [r2, ("reason", "missing_config")];
    // What does not count is not waited for.
    let page = until(app.scrapes.unwrap(), "a first result", |page| {
        page.get("infra_health_check_reason", &missing) == Some(1.0)
    })
    .await;
    assert!(page.is("infra_health_status", &[]), "as /health says");
    assert!(!page.is("infra_health_check_counted", &[r2]));
    assert_eq!(page.get("infra_health_r2_clock_offset_seconds", &[]), None);
    assert_eq!(page.of_name("infra_health_runpod_workers"), []);
    assert_eq!(
        page.get("infra_health_check_last_success_timestamp_seconds", &[r2]),
        None
    );
}

#[tokio::test]
async fn its_own_listener_has_nothing_else_and_asks_for_no_key() {
    let app = TestApp::start([OPEN], &[("PROBE_ADDR", "127.0.0.1:0")]);
    let scrapes = app.scrapes.unwrap();
    let wrong = [("x-api-key", "a-wrong-operator-key")];
    assert_eq!(scrapes.ask("GET", "/metrics", &wrong).await.status, 200);
    for target in ["/health", "/livez", "/readyz", "/", "/health/api"] {
        let answer = scrapes.get(target).await;
        assert_eq!(answer.status, 404, "{target}");
        let message = answer.json()["error"]["message"].to_string();
        assert!(
            message.ends_with("there are GET, HEAD /metrics\""),
            "{message}"
        );
    }
    assert_eq!(app.probes.unwrap().get("/metrics").await.status, 404);
    let refused = app.get("/metrics").await;
    assert_eq!(refused.status, 401);
    let bearer = format!("Bearer {KEY}");
    for key in [("authorization", bearer.as_str()), ("x-api-key", KEY)] {
        let answer = app.ask("GET", "/metrics", &[key]).await;
        assert_eq!(answer.status, 200, "{answer}");
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; version=0.0.4; charset=utf-8")
        );
        Page::parse(std::str::from_utf8(&answer.body).unwrap());
    }
    assert_eq!(app.end().await, Ok(()), "it ends with the others");
}

#[tokio::test]
async fn connections_are_counted_by_listener() {
    let app = TestApp::start([OPEN], &[("HEADER_TIMEOUT", "50ms")]);
    let scrapes = app.scrapes.unwrap();
    let main = [("listener", "main")];
    let mut kept = Raw::connect(app.0).await;
    kept.ask("/livez").await.unwrap();
    let page = Page::of(scrapes).await;
    assert!(page.is("infra_health_connections", &main));
    assert!(page.is("infra_health_connections_accepted_total", &main));
    assert!(page.is("infra_health_connections", &[("listener", "metrics")]));
    assert_eq!(
        page.get("infra_health_connections", &[("listener", "probe")]),
        None
    );

    let silent = Raw::connect(app.0).await;
    assert_eq!(silent.closed().await, b"");
    let ended = |cause| [("listener", "main"), ("cause", cause)];
    let mut broken = Raw::connect(app.0).await;
    broken.send("nonsense\r\n\r\n").await;
    broken.closed().await;
    drop(kept);
    let page = until(scrapes, "all gone", |page| {
        !page.is("infra_health_connections", &main)
    })
    .await;
    let count = |cause| page.value("infra_health_connections_ended_total", &ended(cause));
    let counts = ["header_timeout", "bad_request", "evicted"].map(count);
    assert_eq!(
        counts.map(f64::to_bits),
        [1.0_f64, 1.0, 0.0].map(f64::to_bits)
    );
}

#[tokio::test]
async fn secret_files_that_cannot_be_used_are_counted() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), KEY).unwrap();
    let path = file.path().to_str().unwrap();
    let app = TestApp::start([("API_KEYS_FILE", path)], &[OPEN]);
    let scrapes = app.scrapes.unwrap();
    let errors = |page: &Page| page.value("infra_health_secret_reload_errors_total", &[]);
    assert!(errors(&Page::of(scrapes).await) < 1.0);
    std::fs::write(file.path(), "short").unwrap();
    until(scrapes, "a counted error", |page| errors(page) >= 1.0).await;
    assert_eq!(
        app.ask("GET", "/metrics", &[("x-api-key", KEY)])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_process_tells_of_itself() {
    let none: [(&str, &str); 0] = [];
    let app = TestApp::start(none, &[OPEN]);
    let scrapes = app.scrapes.unwrap();
    let page = Page::of(scrapes).await;
    let value = |name| page.value(name, &[]);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let started = value("process_start_time_seconds");
    assert!((now - 86_400.0..now + 2.0).contains(&started), "{started}");
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
    assert!(value("process_threads") >= 2.0);
    let open = value("process_open_fds");
    assert!(open >= 3.0 && open < value("process_max_fds"), "{open}");
    let used = |page: &Page| page.value("process_cpu_seconds_total", &[]);
    // Some work later it is more, and no whole number at some point: the unit is not the second.
    until(scrapes, "a fraction of a second", |later| {
        used(later) > used(&page) && used(later).fract() > 0.0
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_held_is_in_flight_until_its_client_has_gone() {
    let none: [(&str, &str); 0] = [];
    let app = TestApp::start(none, &[OPEN]);
    let scrapes = app.scrapes.unwrap();
    let in_flight = |page: &Page| page.value("infra_health_http_requests_in_flight", &[]);
    until(scrapes, "the scrape alone", |page| in_flight(page) < 1.5).await;
    let mut waiting = Raw::connect(app.0).await;
    let key = [("x-api-key", KEY)];
    waiting
        .send(head("GET", "/health?wait=healthy&timeout=60s", &key))
        .await;
    until(scrapes, "one more", |page| in_flight(page) > 1.5).await;
    drop(waiting);
    until(scrapes, "one less", |page| in_flight(page) < 1.5).await;
}

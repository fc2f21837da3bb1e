//! The real binary as a service: shutdown, log lines, request ids.

use serde_json::Value;

use crate::support::binary::Service;
use crate::support::caller::head;
use crate::support::exposition::Page;
use crate::support::raw::Raw;
use crate::support::upstreams::Upstreams;

const NONE: [(&str, &str); 0] = [];

#[tokio::test]
async fn while_draining_it_is_not_ready_and_goes_on_answering() {
    let upstreams = Upstreams::start().await;
    // The delay outlasts the test, so that nothing here depends on time.
    let service = Service::start(upstreams.pairs(), &[("SHUTDOWN_DELAY", "60s")]).await;
    service.until_status("healthy").await;
    assert_eq!(service.get("/readyz").await.status, 200);

    service.signal("TERM").await;
    let answer = service
        .until("/readyz", |answer| answer.status == 503)
        .await;
    assert_eq!(answer.json()["reason"], "draining");
    assert_eq!(answer.json()["error"]["code"], "not_ready");
    let health = service.get("/health").await;
    assert_eq!(
        (health.status, health.json()["status"].as_str()),
        (200, Some("healthy"))
    );
    assert_eq!(service.get("/livez").await.status, 200);

    service.signal("TERM").await;
    let (code, output) = service.ended().await;
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("second signal"), "{output}");
}

#[tokio::test]
async fn a_drained_service_ends_well_and_drops_no_request() {
    for (signal, delay) in [("TERM", "50ms"), ("INT", "60s")] {
        let service = Service::start(NONE, &[("SHUTDOWN_DELAY", delay)]).await;
        service
            .until("/readyz", |answer| answer.status == 200)
            .await;
        let mut kept = Raw::connect(service.0).await;
        kept.ask("/livez").await.unwrap();
        service.signal(signal).await;
        // Answered until the connection is told to close, never cut.
        let mut answers = 0;
        loop {
            let answer = kept.ask("/livez").await.expect("cut off");
            answers += 1;
            assert_eq!(answer.status, 200);
            if answer.closes() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let (code, output) = service.ended().await;
        assert_eq!(code, Some(0), "{output}");
        assert!(answers > 0 && output.contains("draining"), "{output}");
    }
}

#[tokio::test]
async fn ids_stand_in_header_body_and_log_line() {
    let service = Service::start(NONE, &[("LOG_LEVEL", "debug")]).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    for (id, target, level) in [("e2e-1", "/nowhere", "INFO"), ("e2e-2", "/livez", "DEBUG")] {
        let headers = [("x-request-id", id), ("traceparent", traceparent.as_str())];
        let answer = service.ask("GET", target, &headers).await;
        assert_eq!(answer.header("x-request-id"), Some(id));
        if answer.status != 200 {
            assert_eq!(answer.json()["error"]["request_id"], id);
        }
        let line = service.logged(|line| line["request_id"] == id).await;
        assert_eq!(line["trace_id"], trace, "{line}");
        assert_eq!(line["span_id"], "00f067aa0ba902b7", "{line}");
        assert_eq!(
            (line["level"].as_str(), line["method"].as_str()),
            (Some(level), Some("GET")),
            "{line}"
        );
        assert_eq!(line["status"], answer.status, "{line}");
    }
}

#[tokio::test]
async fn ids_that_are_malformed_are_replaced() {
    let service = Service::start(NONE, &[]).await;
    let long = "a".repeat(129);
    for callers in ["two words", &long, "\u{e9}", ""] {
        let answer = service
            .ask("GET", "/nowhere", &[("x-request-id", callers)])
            .await;
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert!(id.starts_with("req_"), "{callers}: {id}");
        let told = answer.json()["error"]["request_id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(told.to_lowercase(), id);
        service
            .logged(|line| line["request_id"] == told.as_str())
            .await;
    }
    let mut raw = Raw::connect(service.0).await;
    raw.send(head(
        "GET",
        "/nowhere",
        &[("x-request-id", "a"), ("x-request-id", "b")],
    ))
    .await;
    let answer = raw.answer().await.unwrap();
    assert!(
        answer.header("x-request-id").unwrap().starts_with("req_"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_change_of_state_is_one_line() {
    let upstreams = Upstreams::start().await;
    let pace = [
        ("CHECK_INTERVAL", "300ms"),
        ("CHECK_RETRY_INTERVAL", "20ms"),
    ];
    let service = Service::start(upstreams.pairs(), &pace).await;
    let of_r2 = |message: &'static str| {
        move |line: &Value| line["check"] == "r2_configured" && line["message"] == message
    };
    let passes = service.logged(of_r2("check passes")).await;
    assert_eq!(passes["level"], "INFO", "{passes}");
    upstreams.s3.delete_bucket("videos").unwrap();
    let fails = service.logged(of_r2("check fails")).await;
    assert_eq!(
        (fails["level"].as_str(), fails["reason"].as_str()),
        (Some("WARN"), Some("bucket_not_found")),
        "{fails}"
    );
    assert!(
        fails["remedy"]
            .as_str()
            .is_some_and(|remedy| !remedy.is_empty()),
        "{fails}"
    );
    assert!(fails["after_s"].is_number(), "{fails}");
    service.signal("INT").await;
    let (_, output) = service.ended().await;
    assert_eq!(output.matches("check fails").count(), 1, "{output}");
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_no_answer() {
    let stop: fn(&Service) = Service::stop_reading;
    for (leave, lost) in [(stop, true), (Service::close_output, false)] {
        let service = Service::start(NONE, &[("LOG_LEVEL", "debug")]).await;
        leave(&service);
        let mut raw = Raw::connect(service.0).await;
        // A line each, together more than the pipe and the queue before it hold.
        for _ in 0..120 {
            raw.send(head("GET", "/livez", &[]).repeat(100)).await;
            for _ in 0..100 {
                assert_eq!(raw.answer().await.expect("cut off").status, 200);
            }
        }
        if lost {
            let page = Page::of(*service).await;
            assert!(page.value("infra_health_log_lines_dropped_total", &[]) > 0.0);
        }
        service.signal("INT").await;
        assert_eq!(service.ended().await.0, Some(0));
    }
}

#[tokio::test]
async fn refusals_are_told_before_a_second_signal_ends_it() {
    let service = Service::start(NONE, &[("SHUTDOWN_DELAY", "60s")]).await;
    for _ in 0..3 {
        let answer = service.ask("POST", "/health/refresh", &[]).await;
        assert_eq!(answer.status, 401);
    }
    service.signal("TERM").await;
    service.logged(|line| line["message"] == "draining").await;
    service.signal("TERM").await;
    let (code, output) = service.ended().await;
    assert_eq!(code, Some(0), "{output}");
    // In one line, or in two when the minute's report came in between.
    let told: u64 = output
        .lines()
        .filter(|line| line.contains("requests were refused"))
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|line| line["missing_api_key"].as_u64())
        .sum();
    assert_eq!(told, 3, "{output}");
}

//! `/metrics` as an endpoint: keys, methods, limits, and the counts of requests.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::Request;
use http_body_util::Empty;
use infra_health::config::Policy;
use infra_health::peer::Peer;

use crate::support::caller::eventually;
use crate::support::exposition::Page;
use crate::support::service::Mode::{Fail, Hang, Pass};
use crate::support::service::{KEY, Reply, Service, exchange};

const DURATION: &str = "http_server_request_duration_seconds_count";

/// The page, asked for with the configured key.
async fn page(service: &Service) -> Page {
    let reply = service.get_with_key("/metrics").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    Page::parse(&reply.body)
}

fn answered(page: &Page, route: &str, method: &str, status: &str) -> Option<f64> {
    let labels = [
        ("http_route", route),
        ("http_request_method", method),
        ("http_response_status_code", status),
    ];
    page.get(DURATION, &labels)
}

#[tokio::test]
async fn it_waits_for_no_first_round() {
    let service = Service::configured([Pass, Hang, Hang], |with| {
        with.answers.deadline = Duration::from_mins(1);
    });
    let page = page(&service).await;
    assert!(!page.is("infra_health_status", &[]));
    assert!(!page.is("infra_health_ready", &[]));
    let r2 = ("check", "r2_configured");
    assert!(page.is("infra_health_check_state", &[r2, ("state", "fail")]));
    assert!(page.is("infra_health_check_reason", &[r2, ("reason", "starting")]));
    for state in ["pass", "warn", "fail"] {
        assert!(!page.is("infra_health_check_last_result", &[r2, ("state", state)]));
        assert!(!page.is("infra_health_check_transitions_total", &[r2, ("to", state)]));
    }
    assert!(!page.is("infra_health_check_stale", &[r2]));
    assert!(!page.is("infra_health_check_runs_total", &[r2, ("reason", "ok")]));
    assert!(!page.is("infra_health_check_duration_seconds_count", &[r2]));
    assert_eq!(page.get("infra_health_check_age_seconds", &[r2]), None);
}

#[tokio::test]
async fn it_is_200_whatever_the_checks_say() {
    let service = Service::configured([Fail, Fail, Fail], |with| {
        with.answers.degraded_is_503 = true;
    })
    .settled()
    .await;
    assert_eq!(service.get("/health").await.status, 503);
    let page = page(&service).await;
    assert!(!page.is("infra_health_status", &[]));
    assert!(page.is("infra_health_ready", &[]));
    let counted = answered(&page, "/health", "GET", "503");
    assert_eq!(counted, Some(1.0));
}

/// No event tells of it: the monitor has ended.
#[tokio::test]
async fn a_result_turns_stale_between_two_scrapes() {
    let mut service = Service::configured([Pass; 3], |with| {
        with.policy = Policy {
            interval: Duration::from_millis(40),
            timeout: Duration::from_millis(40),
            retry_interval: Duration::from_millis(20),
            ..Policy::default()
        };
    })
    .settled()
    .await;
    service.stop_monitor();
    let api = ("check", "api");
    eventually("a stale result", async || {
        page(&service).await.is("infra_health_check_stale", &[api])
    })
    .await;
    let page = page(&service).await;
    assert!(!page.is("infra_health_status", &[]));
    assert!(page.is("infra_health_check_state", &[api, ("state", "fail")]));
    assert!(page.is("infra_health_check_last_result", &[api, ("state", "pass")]));
    assert!(page.is("infra_health_check_reason", &[api, ("reason", "stale")]));
}

fn refused(reply: &Reply, code: &str) {
    assert_eq!((reply.status, reply.error_code().as_str()), (401, code));
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(
        challenge.starts_with("ApiKey, Bearer realm=\"infra-health\""),
        "{challenge}"
    );
    let wrong = code == "invalid_api_key";
    assert_eq!(challenge.contains("error=\"invalid_token\""), wrong);
}

#[tokio::test]
async fn a_key_is_needed_once_one_is_configured() {
    let service = Service::start([Pass; 3]).settled().await;
    let ask = |headers: &'static [(&str, &str)]| service.ask("GET", "/metrics", headers);
    refused(&ask(&[]).await, "missing_api_key");
    refused(
        &ask(&[("authorization", "Basic dTpw")]).await,
        "missing_api_key",
    );
    for wrong in [
        &[("x-api-key", "a-wrong-operator-key")][..],
        &[("authorization", "Bearer a-wrong-operator-key")],
        &[
            ("authorization", "Bearer an-operator-key-0001"),
            ("x-api-key", "wrong"),
        ],
    ] {
        refused(&ask(wrong).await, "invalid_api_key");
    }
    let bearer = ("authorization", "Bearer an-operator-key-0001");
    assert_eq!(bearer.1.strip_prefix("Bearer "), Some(KEY));
    assert_eq!(service.ask("GET", "/metrics", &[bearer]).await.status, 200);
    assert_eq!(service.get_with_key("/metrics").await.status, 200);
    // Here alone: elsewhere the field belongs to whatever stands in front.
    let refresh = service.ask("POST", "/health/refresh", &[bearer]).await;
    assert_eq!(refresh.error_code(), "missing_api_key");

    let open = Service::configured([Pass; 3], |with| with.keys = Vec::new())
        .settled()
        .await;
    for headers in [&[][..], &[("x-api-key", "anything")], &[bearer]] {
        assert_eq!(open.ask("GET", "/metrics", headers).await.status, 200);
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_is_in_flight_no_more() {
    let service = Service::start([Pass, Hang, Hang]);
    let in_flight = async || {
        let page = page(&service).await;
        page.value("infra_health_http_requests_in_flight", &[])
    };
    let peer = Peer::from(service.peer);
    let request = Request::get("/health").body(Empty::<Bytes>::new()).unwrap();
    let mut held = Box::pin(service.front.handle(&peer, request));
    assert!(
        (&mut held).now_or_never().is_none(),
        "it waits for the first round"
    );
    assert_eq!(in_flight().await.to_bits(), 2.0_f64.to_bits());
    drop(held);
    assert_eq!(in_flight().await.to_bits(), 1.0_f64.to_bits());
}

#[tokio::test]
async fn its_methods_and_its_form() {
    let service = Service::start([Pass; 3]).settled().await;
    let get = service.get_with_key("/metrics").await;
    let form = Some("text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(get.header("content-type"), form);
    assert_eq!(get.header("cache-control"), Some("no-store"));
    let key = [("x-api-key", KEY)];
    let head = service.ask("HEAD", "/metrics?name=x", &key).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-type"), form);
    assert!(
        head.header("content-length")
            .unwrap()
            .parse::<usize>()
            .unwrap()
            > 1000
    );
    let post = service.ask("POST", "/metrics", &key).await;
    assert_eq!(
        (post.status, post.error_code().as_str()),
        (405, "method_not_allowed")
    );
    assert_eq!(post.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn requests_are_counted_by_route_method_and_status() {
    let service = Service::start([Pass, Fail, Pass]).settled().await;
    for (method, path) in [
        ("GET", "/health"),
        ("GET", "/health"),
        ("HEAD", "/health"),
        ("GET", "/health/api"),
        ("GET", "/health/r2_configured"),
        ("GET", "/health/runpod_configured"),
        ("GET", "/health/unknown"),
        ("GET", "/livez"),
        ("POST", "/health"),
        ("POST", "/health/refresh"),
        ("GET", "/nothing"),
    ] {
        service.ask(method, path, &[]).await;
    }
    let page = page(&service).await;
    for (route, method, status, count) in [
        ("/health", "GET", "200", 2.0),
        ("/health", "HEAD", "200", 1.0),
        ("/health", "POST", "405", 1.0),
        ("/health/{check}", "GET", "200", 2.0),
        ("/health/{check}", "GET", "503", 1.0),
        ("/health/{check}", "GET", "404", 1.0),
        ("/livez", "GET", "200", 1.0),
        ("/health/refresh", "POST", "401", 1.0),
        ("", "GET", "404", 1.0),
    ] {
        assert_eq!(
            answered(&page, route, method, status),
            Some(count),
            "{route} {method} {status}"
        );
    }
    assert_eq!(page.of_name(DURATION).len(), 9);
    let health = [
        ("http_route", "/health"),
        ("http_request_method", "GET"),
        ("http_response_status_code", "200"),
    ];
    let bucket = |le| {
        let labels: Vec<_> = health.into_iter().chain([("le", le)]).collect();
        page.value("http_server_request_duration_seconds_bucket", &labels)
    };
    let bounds = [
        "0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5",
        "7.5", "10", "+Inf",
    ];
    assert!(bounds.map(bucket).is_sorted());
    assert_eq!(bucket("+Inf").to_bits(), 2.0_f64.to_bits());
    assert!(page.value("http_server_request_duration_seconds_sum", &health) > 0.0);
}

#[tokio::test]
async fn no_request_adds_a_series_of_its_own() {
    let service = Service::start([Pass; 3]).settled().await;
    let flood = async |round: usize| {
        for number in 0..40 {
            let method = format!("ODD{round}X{number}");
            let path = format!("/odd/{round}/{number}");
            let made_up = format!("key-{round}-{number}-0123456789");
            let headers = [("x-api-key", made_up.as_str()), ("user-agent", &path)];
            service.ask(&method, "/health", &headers).await;
            service.ask(&method, &path, &headers).await;
            service.ask("GET", &path, &headers).await;
            service
                .ask("GET", &format!("/health/{method}"), &headers)
                .await;
            service
                .ask("GET", &format!("/health?x={number}"), &headers)
                .await;
            service.ask("GET", "/metrics", &headers).await;
        }
    };
    flood(0).await;
    page(&service).await;
    let before = page(&service).await;
    assert_eq!(answered(&before, "/health", "_OTHER", "405"), Some(40.0));
    assert_eq!(answered(&before, "", "_OTHER", "404"), Some(40.0));
    assert_eq!(answered(&before, "", "GET", "404"), Some(40.0));
    flood(1).await;
    let after = page(&service).await;
    assert_eq!(answered(&after, "", "_OTHER", "404"), Some(80.0));
    assert_eq!(after.len(), before.len());
}

#[tokio::test]
async fn refusals_are_counted_by_what_was_used_up() {
    let mut service = Service::configured([Pass; 3], |with| {
        with.limits.per_second = 1;
        with.limits.burst = 1;
        with.limits.exempt = vec!["192.0.2.1/32".parse().unwrap()];
    })
    .settled()
    .await;
    let exempt = std::mem::replace(&mut service.peer, ([192, 0, 2, 2], 4711).into());
    for headers in [&[][..], &[("x-api-key", KEY)], &[("x-api-key", "wrong")]] {
        // A second passes at most twice.
        let mut limited = 0;
        while limited < 3 {
            let reply = service.ask("GET", "/health", headers).await;
            limited += u32::from(reply.status == 429);
        }
    }
    service.peer = exempt;
    let page = page(&service).await;
    let limited = |bucket| {
        page.value(
            "infra_health_http_requests_limited_total",
            &[("bucket", bucket)],
        )
    };
    let counts = ["client", "key", "failed_key", "waiters"].map(limited);
    assert_eq!(
        counts.map(f64::to_bits),
        [3.0_f64, 3.0, 3.0, 0.0].map(f64::to_bits)
    );
    assert_eq!(answered(&page, "/health", "GET", "429"), Some(9.0));
}

/// Callers who share Prometheus' address must not blind it.
#[tokio::test]
async fn scrapes_of_the_listener_of_their_own_are_never_limited() {
    let service = Service::configured([Pass; 3], |with| {
        with.limits.per_second = 1;
        with.limits.burst = 2;
    })
    .settled()
    .await;
    while service.get("/health").await.status != 429 {}
    let metrics = service.front.metrics_only();
    let ask = async |line: &str| {
        let request = format!("{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        exchange(&metrics, service.peer, &request).await.status
    };
    for _ in 0..5 {
        assert_eq!(ask("GET /metrics").await, 200);
    }
    // A flood of anything else is, as on every listener.
    while ask("GET /nothing").await != 429 {}
}

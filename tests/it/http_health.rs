//! `/health`, `/health/{check}` and `/health/refresh`.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use infra_health::config::Details;
use serde_json::json;

use crate::support::exposition::Page;
use crate::support::service::Mode::{Fail, Hang, Pass};
use crate::support::service::{KEY, Reply, Service};

#[tokio::test]
async fn tells_healthy_and_degraded_with_200() {
    let healthy = Service::start([Pass; 3]).settled().await;
    let reply = healthy.get("/health").await;
    reply.check_common();
    assert_eq!(reply.status, 200);
    let body = reply.json();
    assert_eq!(body["status"], "healthy");
    let checks = r#""checks":{"api":true,"runpod_configured":true,"r2_configured":true}"#;
    assert!(reply.body.contains(checks), "{}", reply.body);
    assert_eq!(body["checked_at"].as_str().map(str::len), Some(24));
    assert_eq!(body.as_object().unwrap().len(), 3);

    let degraded = Service::start([Pass, Fail, Pass]).settled().await;
    let reply = degraded.get("/health").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["status"], "degraded");
    assert_eq!(reply.json()["checks"]["runpod_configured"], false);
}

#[tokio::test]
async fn degraded_is_503_only_where_configured_and_never_for_another_instances_check() {
    let service = Service::configured([Pass, Pass, Fail], |with| {
        with.answers.degraded_is_503 = true;
    })
    .settled()
    .await;
    let reply = service.get("/health").await;
    assert_eq!(
        (reply.status, reply.error_code().as_str()),
        (503, "degraded")
    );
    assert_eq!(reply.json()["status"], "degraded");
    assert_eq!(reply.json()["checks"]["r2_configured"], false);

    for path in ["/health", "/health?verbose=0"] {
        let probe = ("x-infra-health-probe", "1");
        let reply = service.ask("GET", path, &[probe]).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json()["status"], "degraded");
        let other = ("x-infra-health-probe", "yes");
        assert_eq!(service.ask("GET", path, &[other]).await.status, 503);
    }
    // It is about what instances ask of each other, and that is no refresh.
    let headers = [("x-infra-health-probe", "1"), ("x-api-key", KEY)];
    let refreshed = service.ask("POST", "/health/refresh", &headers).await;
    assert_eq!(
        (refreshed.status, refreshed.error_code().as_str()),
        (503, "degraded")
    );
}

#[tokio::test]
async fn waits_for_the_first_round_but_not_for_ever() {
    let service = Service::configured([Pass, Hang, Pass], |with| {
        with.answers.deadline = Duration::from_millis(30);
    })
    .settled_but(&["runpod_configured"])
    .await;
    for path in ["/health", "/health?x"] {
        let body = service.get(path).await.json();
        assert_eq!(body["status"], "degraded");
        assert_eq!(body["checks"]["runpod_configured"], false);
        assert_eq!(body["checked_at"], json!(null));
    }
    let reply = service.get("/health/runpod_configured").await;
    assert_eq!(reply.error_code(), "check_failed");
    // What does not count is not waited for.
    let body = service.get("/health?exclude=runpod_configured").await;
    assert_eq!(body.json()["status"], "healthy");

    let service = Service::start([Pass, Hang, Pass]);
    let (body, ()) = tokio::join!(service.get("/health"), async {
        tokio::task::yield_now().await;
        service.set([Pass; 3]);
    });
    assert_eq!(body.json()["status"], "healthy");
}

#[tokio::test]
async fn answers_the_truth_when_no_result_comes_any_more() {
    let mut service = Service::configured([Pass; 3], |with| {
        with.policy.interval = Duration::from_millis(20);
        // Long enough for a busy machine: a result that is late would be another reason.
        with.policy.timeout = Duration::from_millis(500);
    })
    .settled()
    .await;
    service.stop_monitor();
    let degraded = async {
        while service.get("/health").await.json()["status"] != "degraded" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), degraded)
        .await
        .unwrap();
    let body = service.get_with_key("/health?verbose").await.json();
    assert_eq!(body["details"]["api"]["reason"], "stale");
    assert_eq!(service.get("/health/api").await.status, 503);
}

#[tokio::test]
async fn details_are_for_holders_of_a_key() {
    let service = Service::start([Pass, Fail, Pass]).settled().await;
    for path in ["/health?verbose", "/health/r2_configured?verbose=true"] {
        let reply = service.get(path).await;
        assert_eq!(
            (reply.status, reply.error_code().as_str()),
            (401, "missing_api_key")
        );
        assert_eq!(reply.header("www-authenticate"), Some("ApiKey"));
        for way in ["API_KEYS", "log", "doctor"] {
            assert!(reply.message().contains(way), "{}", reply.message());
        }
    }
    let body = service.get_with_key("/health?verbose").await.json();
    let detail = &body["details"]["runpod_configured"];
    assert_eq!(detail["reason"], "missing_config");
    assert_eq!(detail["doc"], "docs/runbook.md#missing_config");
    assert_eq!(body["version"], env!("CARGO_PKG_VERSION"));
    let one = service.get_with_key("/health/api?verbose").await.json();
    assert_eq!(one["details"].as_object().unwrap().len(), 1);
    // Neither details nor the version unless they are asked for.
    let plain = service.get_with_key("/health").await;
    assert_eq!(plain.body, service.get("/health").await.body);
}

#[tokio::test]
async fn details_can_be_for_anyone_or_nobody() {
    let always = Service::configured([Pass; 3], |with| with.answers.details = Details::Always)
        .settled()
        .await;
    let body = always.get("/health?verbose").await.json();
    assert!(body["details"]["api"].is_object());
    assert!(body["version"].is_null(), "for holders of a key only");

    let never = Service::configured([Pass; 3], |with| with.answers.details = Details::Never)
        .settled()
        .await;
    let plain = never.get("/health").await;
    let verbose = never.get("/health?verbose").await;
    assert_eq!((verbose.status, verbose.body), (200, plain.body));
    let refreshed = never
        .ask("POST", "/health/refresh", &[("x-api-key", KEY)])
        .await;
    assert_eq!(refreshed.status, 200);
    assert!(refreshed.json()["details"].is_null());
}

#[tokio::test]
async fn excluded_checks_are_shown_and_do_not_count() {
    let service = Service::configured([Pass, Fail, Fail], |with| {
        with.answers.exclude = vec!["r2_configured".to_owned()];
    })
    .settled()
    .await;
    let body = service.get("/health").await.json();
    assert_eq!(body["status"], "degraded");
    assert_eq!(body["excluded"], json!(["r2_configured"]));
    let body = service
        .get("/health?exclude=runpod_configured")
        .await
        .json();
    assert_eq!(body["status"], "healthy");
    assert_eq!(
        body["excluded"],
        json!(["runpod_configured", "r2_configured"])
    );
    assert_eq!(body["checks"]["r2_configured"], false);

    for query in ["exclude=nothing", "exclude=api&exclude=runpod_configured"] {
        let reply = service.get(&format!("/health?{query}")).await;
        assert_eq!(reply.error_code(), "invalid_request", "{query}");
        let names = "api, runpod_configured, r2_configured";
        assert!(reply.message().contains(names), "{}", reply.message());
    }
}

#[tokio::test]
async fn malformed_queries_are_400_and_unknown_parameters_ignored() {
    let service = Service::start([Pass; 3]).settled().await;
    for path in [
        "/health?verbose=maybe",
        "/health/api?verbose=maybe",
        "/health?wait=forever",
        "/health?wait=healthy&timeout=30",
        "/health?timeout=30s",
        "/health?verbose=%zz",
        "/health/%ff",
    ] {
        let reply = service.get_with_key(path).await;
        assert_eq!(reply.status, 400, "{path}");
        assert_eq!(reply.error_code(), "invalid_request");
    }
    for path in [
        "/health?cache=1",
        "/health?u=50%",
        "/health/api?u=50%",
        "/health?",
        "/livez?x",
        "/readyz?%zz",
    ] {
        assert_eq!(service.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn one_check_by_its_name() {
    let service = Service::start([Pass, Fail, Pass]).settled().await;
    let reply = service.get("/health/api").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["checks"], json!({"api": true}));
    let reply = service.get("/health/runpod%5Fconfigured").await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.error_code(), "check_failed");
    assert_eq!(reply.json()["checks"], json!({"runpod_configured": false}));
    let reply = service.get("/health/database").await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.error_code(), "check_not_found");
    let names = "api, runpod_configured, r2_configured";
    assert!(reply.message().contains(names), "{}", reply.message());
}

#[tokio::test]
async fn refresh_asks_now_and_tells_what_is_fresh() {
    let service = Service::start([Pass; 3]).settled().await;
    service.set([Pass, Fail, Pass]);
    let reply = service
        .send("POST", "/health/refresh", &[("x-api-key", KEY)], "{}")
        .await;
    assert_eq!(reply.status, 200);
    let body = reply.json();
    assert_eq!(
        body["fresh"],
        json!(["api", "runpod_configured", "r2_configured"])
    );
    let detail = &body["details"]["runpod_configured"];
    assert_eq!(detail["last_result"], "fail");
    assert_eq!(detail["status"], "pass", "one failure does not decide");
}

/// As many waiters as there may be, and the one too many, whose refusal shows that all others wait.
async fn crowd(service: &Service) -> (FuturesUnordered<impl Future<Output = Reply> + '_>, Reply) {
    let path = "/health?wait=healthy&timeout=60s";
    let mut waiters: FuturesUnordered<_> = (0..65).map(|_| service.get_with_key(path)).collect();
    let refused = waiters.next().await.unwrap();
    (waiters, refused)
}

#[tokio::test]
async fn wait_holds_the_answer_of_sixty_four_callers_until_it_is_healthy() {
    let service = Service::start([Pass, Hang, Pass]);
    let (waiters, refused) = crowd(&service).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.error_code(), "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("5"));
    for field in ["ratelimit", "ratelimit-policy"] {
        assert!(refused.header(field).is_some(), "{field}");
    }
    let page = Page::parse(&service.get_with_key("/metrics").await.body);
    let waiters_refused = [("bucket", "waiters")];
    assert!(page.is("infra_health_http_requests_limited_total", &waiters_refused));
    let in_flight = page.get("infra_health_http_requests_in_flight", &[]);
    assert_eq!(in_flight, Some(65.0), "64 and the scrape");
    service.set([Pass; 3]);
    let answers: Vec<_> = waiters.collect().await;
    assert_eq!(answers.len(), 64);
    for answer in answers {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["status"], "healthy");
    }
    // All places are free again.
    let again = service.get_with_key("/health?wait=healthy").await;
    assert_eq!(again.status, 200);
}

#[tokio::test]
async fn wait_ends_with_503_when_a_drain_begins() {
    let service = Service::start([Pass, Fail, Pass]).settled().await;
    let (mut waiters, _refused) = crowd(&service).await;
    service.drain();
    while let Some(answer) = waiters.next().await {
        assert_eq!(answer.status, 503);
        assert_eq!(answer.error_code(), "not_ready");
        assert_eq!(answer.json()["reason"], "draining");
    }
}

#[tokio::test]
async fn wait_ends_with_503_at_its_timeout_and_needs_a_key() {
    let service = Service::start([Pass, Fail, Pass]).settled().await;
    let path = "/health?wait=healthy&timeout=60s";
    assert_eq!(service.get(path).await.error_code(), "missing_api_key");
    tokio::time::pause();
    let reply = service
        .get_with_key("/health?wait=healthy&timeout=5s")
        .await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.error_code(), "degraded");
    assert_eq!(reply.json()["checks"]["runpod_configured"], false);
    let head = ("HEAD", "/health?wait=healthy&timeout=5s");
    let head = service.ask(head.0, head.1, &[("x-api-key", KEY)]).await;
    assert_eq!((head.status, head.body.as_str()), (503, ""));
}

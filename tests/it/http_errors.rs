//! Errors, keys, limits, request ids and what holds for every route.

use std::sync::atomic::Ordering;

use infra_health::http::endpoints::{Methods, Needs, Scope, Webhooks};

use crate::support::service::Mode::{Fail, Pass};
use crate::support::service::{CANARY, KEY, Reply, Service, TOKEN, exchange};

async fn healthy() -> Service {
    Service::start([Pass; 3]).settled().await
}

#[tokio::test]
async fn every_endpoint_of_the_table_exists_and_refuses_other_methods() {
    let service = Service::configured([Pass; 3], |with| with.webhooks = Webhooks::ALL)
        .settled()
        .await;
    for endpoint in Scope::DOCUMENTED.endpoints() {
        let path = endpoint.path.replace("{check}", "api");
        let path = path.replace("{token}", TOKEN);
        let method = match endpoint.methods {
            Methods::Read => "GET",
            Methods::Post => "POST",
        };
        let reply = service.ask(method, &path, &[("x-api-key", KEY)]).await;
        // The store of the job room is closed here.
        let expected: &[u16] = match endpoint.needs {
            Needs::Nothing | Needs::Jobs => &[200],
            _ => &[415, 503],
        };
        assert!(
            expected.contains(&reply.status),
            "{method} {path}: {}",
            reply.status
        );
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            if endpoint.methods.allow().contains(method) {
                continue;
            }
            let reply = service.ask(method, &path, &[]).await;
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.error_code(), "method_not_allowed");
            assert_eq!(reply.header("allow"), Some(endpoint.methods.allow()));
        }
    }
}

#[tokio::test]
async fn head_is_get_less_the_body() {
    let service = Service::configured([Pass, Fail, Pass], |with| {
        with.answers.degraded_is_503 = true;
    })
    .settled()
    .await;
    let comparable = |reply: &Reply| {
        let headers = reply.headers.iter().filter(|(name, _)| name != "date");
        (reply.status, headers.cloned().collect::<Vec<_>>())
    };
    for path in [
        "/health",
        "/health?verbose",
        "/health?exclude=runpod_configured",
        "/health?verbose=maybe",
        "/health/api",
        "/health/runpod_configured",
        "/health/nothing",
        "/livez",
        "/readyz",
        "/livez?x",
        "/readyz?x",
        "/nothing",
        "/health/refresh",
    ] {
        for key in [KEY, "a-wrong-operator-key"] {
            let headers = [("x-api-key", key), ("x-request-id", "same")];
            let get = service.ask("GET", path, &headers).await;
            let head = service.ask("HEAD", path, &headers).await;
            let length = get.body.len().to_string();
            assert_eq!(head.header("content-length"), Some(length.as_str()));
            assert_eq!(head.body, "");
            let (mut get, mut head) = (comparable(&get), comparable(&head));
            get.1.sort();
            head.1.sort();
            assert_eq!(get, head, "{path}");
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_told_what_exists() {
    let service = healthy().await;
    for path in ["//", "/nothing", "/health/", "/health/api/x", "/metrics/x"] {
        let reply = service.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.error_code(), "not_found");
        for endpoint in Scope::Everything(Webhooks::default()).endpoints() {
            assert!(reply.message().contains(endpoint.path));
        }
        assert!(!reply.message().contains("webhooks"));
    }
    for (method, target) in [("OPTIONS", "*"), ("CONNECT", "test:1"), ("HEAD", "/x")] {
        assert_eq!(service.ask(method, target, &[]).await.status, 404);
    }
    let reply = service.get("http://elsewhere/health").await;
    assert_eq!(reply.status, 200, "the absolute form");
}

#[tokio::test]
async fn keys_on_health_and_where_one_is_needed() {
    let service = healthy().await;
    let ask = |path, headers: &'static [(&str, &str)]| service.ask("GET", path, headers);
    assert_eq!(ask("/health", &[]).await.status, 200);
    assert_eq!(ask("/health", &[("x-api-key", KEY)]).await.status, 200);
    for headers in [
        &[("x-api-key", "a-wrong-operator-key")][..],
        &[("x-api-key", "")],
        &[("x-api-key", KEY), ("x-api-key", KEY)],
    ] {
        for path in ["/health", "/health/api", "/health?verbose"] {
            let reply = ask(path, headers).await;
            assert_eq!(reply.status, 401);
            assert_eq!(reply.error_code(), "invalid_api_key");
            assert_eq!(reply.header("www-authenticate"), Some("ApiKey"));
        }
        for path in ["/livez", "/readyz"] {
            assert_eq!(ask(path, headers).await.status, 200);
        }
    }
    let reply = service.ask("POST", "/health/refresh", &[]).await;
    assert_eq!(reply.error_code(), "missing_api_key");
    let authorization = ("authorization", "Bearer an-operator-key-0001");
    let reply = service
        .ask("POST", "/health/refresh", &[authorization])
        .await;
    assert_eq!(reply.error_code(), "missing_api_key");
}

#[tokio::test]
async fn a_key_can_be_required() {
    let service = Service::configured([Pass; 3], |with| with.answers.require_api_key = true)
        .settled()
        .await;
    for path in ["/health", "/health/api"] {
        let reply = service.get(path).await;
        assert_eq!(
            (reply.status, reply.error_code().as_str()),
            (401, "missing_api_key")
        );
        assert_eq!(service.get_with_key(path).await.status, 200);
    }
    assert_eq!(service.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn without_configured_keys_the_header_is_ignored() {
    let service = Service::configured([Pass; 3], |with| with.keys.clear())
        .settled()
        .await;
    assert_eq!(service.get_with_key("/health").await.status, 200);
    for (method, path) in [
        ("GET", "/health?verbose"),
        ("GET", "/health?wait=healthy"),
        ("POST", "/health/refresh"),
    ] {
        let reply = service.ask(method, path, &[("x-api-key", KEY)]).await;
        assert_eq!(reply.status, 401, "{path}");
        assert_eq!(reply.error_code(), "missing_api_key");
        assert!(reply.message().contains("API_KEYS"));
    }
}

#[tokio::test]
async fn a_burst_is_limited_and_probes_never() {
    let mut service = Service::configured([Pass; 3], |with| {
        with.limits.per_second = 1;
        with.limits.burst = 2;
        with.limits.exempt = vec!["198.51.100.7/32".parse().unwrap()];
    })
    .settled()
    .await;
    let wrong = [("x-api-key", "a-wrong-operator-key")];
    for _ in 0..2 {
        assert_eq!(service.get("/health").await.status, 200);
        assert_eq!(service.get_with_key("/health").await.status, 200);
        assert_eq!(service.ask("GET", "/health", &wrong).await.status, 401);
    }
    let limited = service.get("/health").await;
    assert_eq!(limited.status, 429);
    assert_eq!(limited.error_code(), "rate_limited");
    assert_eq!(limited.header("retry-after"), Some("1"));
    assert_eq!(limited.message(), "too many requests; retry in 1 s");
    assert!(limited.header("ratelimit").unwrap().contains("r=0"));
    assert!(limited.header("ratelimit-policy").unwrap().contains("q=2"));
    // Each of these counts apart, and an unknown path is no way around.
    assert_eq!(service.get_with_key("/health").await.status, 429);
    assert_eq!(service.ask("GET", "/health", &wrong).await.status, 429);
    assert_eq!(service.get("/nothing").await.status, 429);
    for _ in 0..5 {
        assert_eq!(service.get("/livez").await.status, 200);
        assert_eq!(service.get("/readyz?x").await.status, 200);
    }
    service.peer = "198.51.100.7:1".parse().unwrap();
    for _ in 0..5 {
        assert_eq!(service.get("/health").await.status, 200);
    }
}

#[tokio::test]
async fn request_ids_are_kept_in_their_form_and_made_otherwise() {
    let service = healthy().await;
    let longest = "x".repeat(128);
    for id in ["job-7.retry_2", longest.as_str()] {
        for path in ["/health", "/nothing"] {
            let reply = service.ask("GET", path, &[("x-request-id", id)]).await;
            assert_eq!(reply.header("x-request-id"), Some(id));
        }
    }
    let absurd = "x".repeat(129);
    for headers in [
        &[("x-request-id", absurd.as_str())][..],
        &[("x-request-id", "two words")],
        &[("x-request-id", "\"},{\"")],
        &[("x-request-id", "ünïcode")],
        &[("x-request-id", "")],
        &[("x-request-id", "a"), ("x-request-id", "b")],
        &[],
    ] {
        let reply = service.ask("GET", "/nothing", headers).await;
        assert_eq!(reply.error_code(), "not_found");
        let id = reply.header("x-request-id").unwrap();
        assert!(id.starts_with("req_") && id.len() == 30, "{id}");
    }
}

#[tokio::test]
async fn bodies_are_bounded_in_size_and_time() {
    let service = healthy().await;
    let key = ("x-api-key", KEY);
    let large = "x".repeat(16 * 1024 + 1);
    let reply = service
        .send("POST", "/health/refresh", &[key], &large)
        .await;
    assert_eq!(reply.status, 413);
    assert_eq!(reply.error_code(), "payload_too_large");
    let chunked = format!(
        "POST /health/refresh HTTP/1.1\r\nhost: test\r\nx-api-key: {KEY}\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    let reply = exchange(&service.front, service.peer, &chunked).await;
    assert_eq!(reply.error_code(), "payload_too_large");

    // Promised and never sent: the answer comes all the same, and the connection ends.
    tokio::time::pause();
    let promised = format!(
        "POST /health/refresh HTTP/1.1\r\nhost: test\r\nx-api-key: {KEY}\r\n\
         content-length: 5\r\n\r\n123"
    );
    let reply = exchange(&service.front, service.peer, &promised).await;
    assert_eq!(reply.status, 408);
    assert_eq!(reply.error_code(), "timeout");
    assert_eq!(reply.header("connection"), Some("close"));

    let cut = promised.replace("content-length: 5", "transfer-encoding: chunked");
    let reply = exchange(&service.front, service.peer, &cut.replace("123", "zz\r\n")).await;
    assert_eq!(reply.error_code(), "invalid_request");
}

#[tokio::test]
async fn a_panic_is_a_500_without_its_payload() {
    let service = healthy().await;
    service.switches.panics.store(true, Ordering::SeqCst);
    for path in ["/readyz", "/readyz?x"] {
        let reply = service.get(path).await;
        assert_eq!(reply.status, 500);
        assert_eq!(reply.error_code(), "internal_error");
        assert!(!reply.body.contains(CANARY), "{}", reply.body);
    }
    assert_eq!(service.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_not_read_ends_the_connection_and_the_answer_says_so() {
    let service = healthy().await;
    let body = "x".repeat(100_000);
    let key = format!("x-api-key: {KEY}\r\n");
    let length = |length: usize| format!("content-length: {length}\r\n");
    let malformed = "transfer-encoding: chunked\r\n";
    for (line, headers, body, status) in [
        ("POST /health/refresh", length(body.len()), &*body, 401),
        ("GET /health", length(body.len()), &*body, 200),
        ("GET /health?x", length(body.len()), &*body, 200),
        ("GET /livez", length(2), "{}", 200),
        ("POST /nothing", length(body.len()), &*body, 404),
        (
            "POST /health/refresh",
            format!("{key}{malformed}"),
            "zz\r\n",
            400,
        ),
    ] {
        let request = format!("{line} HTTP/1.1\r\nhost: test\r\n{headers}\r\n{body}");
        let reply = exchange(&service.front, service.peer, &request).await;
        assert_eq!(reply.status, status, "{line}");
        assert_eq!(reply.header("connection"), Some("close"), "{line}");
    }
    // One that is read to its end, and none at all, leave the connection to the next request.
    for (line, headers, body) in [
        ("POST /health/refresh", format!("{key}{}", length(2)), "{}"),
        ("POST /health/refresh", format!("{key}{}", length(0)), ""),
        ("GET /health", length(0), ""),
    ] {
        let request = format!(
            "{line} HTTP/1.1\r\nhost: test\r\n{headers}\r\n{body}\
             GET /livez HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
        );
        let reply = exchange(&service.front, service.peer, &request).await;
        assert_eq!(
            (reply.status, reply.header("connection")),
            (200, None),
            "{line}"
        );
        assert!(reply.body.ends_with(r#"{"status":"ok"}"#), "{}", reply.body);
    }
}

#[tokio::test]
async fn route_and_method_are_judged_before_the_size_of_a_body() {
    let service = healthy().await;
    let large = "x".repeat(20_000);
    for (method, path, status) in [
        ("POST", "/health", 405),
        ("PUT", "/health/refresh", 405),
        ("POST", "/nothing", 404),
        ("GET", "/health?x", 200),
    ] {
        let reply = service.send(method, path, &[], &large).await;
        assert_eq!(reply.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn only_the_probes_themselves_are_free() {
    let service = Service::configured([Pass; 3], |with| {
        with.limits.per_second = 1;
        with.limits.burst = 3;
    })
    .settled()
    .await;
    let probes = service.front.probes_only();
    let on_probes = async |line: &str| {
        let request = format!("{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        exchange(&probes, service.peer, &request).await.status
    };
    assert_eq!(service.ask("POST", "/livez", &[]).await.status, 405);
    assert_eq!(on_probes("POST /readyz").await, 405);
    assert_eq!(on_probes("GET /nothing").await, 404);
    assert_eq!(service.ask("POST", "/livez", &[]).await.status, 429);
    assert_eq!(on_probes("POST /readyz").await, 429);
    assert_eq!(on_probes("GET /nothing").await, 429);
    for _ in 0..5 {
        assert_eq!(service.get("/livez").await.status, 200);
        assert_eq!(on_probes("HEAD /livez").await, 200);
        assert_eq!(on_probes("GET /readyz?x").await, 200);
    }
}

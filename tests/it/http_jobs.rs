//! Webhooks, `/jobs` and `/signals` as far as HTTP decides, with a job room behind them whose store is closed.

use infra_health::http::endpoints::Webhooks;

use crate::support::service::Mode::Pass;
use crate::support::service::{KEY, Reply, Service, TOKEN, exchange};

const JSON: (&str, &str) = ("content-type", "application/json");
const HOOK: &str = "/webhooks/jobs";
/// Of RunPod, as it sends it.
const JOB: &str = r#"{"id":"r-1","status":"COMPLETED"}"#;

async fn with(webhooks: Webhooks) -> Service {
    Service::configured([Pass; 3], |with| with.webhooks = webhooks)
        .settled()
        .await
}

fn runpod_hook() -> String {
    format!("/webhooks/runpod/{TOKEN}")
}

/// The body of a chunked request.
fn chunked(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    )
}

#[tokio::test]
async fn what_is_not_configured_is_an_unknown_path() {
    let (ours, runpods) = (
        Webhooks {
            jobs: true,
            ..Webhooks::default()
        },
        Webhooks {
            runpod: true,
            ..Webhooks::default()
        },
    );
    let hook = runpod_hook();
    for (webhooks, there, absent) in [
        (
            Webhooks::default(),
            &[][..],
            &[HOOK, &hook, "/jobs", "/jobs/job_7"][..],
        ),
        (ours, &[HOOK, "/jobs", "/jobs/job_7"], &[&hook]),
        (runpods, &[&hook, "/jobs", "/jobs/job_7"], &[HOOK]),
    ] {
        let service = with(webhooks).await;
        let unknown = service.get("/nothing").await;
        for path in absent {
            for method in ["GET", "HEAD", "POST", "DELETE"] {
                let reply = service.ask(method, path, &[("x-api-key", KEY)]).await;
                assert_eq!(reply.status, 404, "{method} {path}");
            }
            let reply = service.get(path).await;
            assert_eq!(reply.error_code(), "not_found");
            assert_eq!(reply.message(), unknown.message());
        }
        for path in there {
            let reply = service.ask("PUT", path, &[("x-api-key", KEY)]).await;
            assert_eq!(reply.error_code(), "method_not_allowed", "{path}");
        }
        let listed = |what| unknown.message().contains(what);
        assert_eq!(listed("POST /webhooks/jobs"), webhooks.jobs);
        assert_eq!(listed("POST /webhooks/runpod/{token}"), webhooks.runpod);
        assert_eq!(listed("HEAD /jobs;"), webhooks != Webhooks::default());
        assert!(listed("GET, HEAD /signals"));
    }
}

#[tokio::test]
async fn jobs_and_signals_are_for_holders_of_a_key() {
    let service = with(Webhooks::ALL).await;
    for path in ["/jobs", "/jobs/job_7", "/signals"] {
        let reply = service.get(path).await;
        assert_eq!(reply.error_code(), "missing_api_key", "{path}");
        let wrong = [("x-api-key", "a-wrong-operator-key")];
        let reply = service.ask("GET", path, &wrong).await;
        assert_eq!(reply.error_code(), "invalid_api_key", "{path}");
        for method in ["GET", "HEAD"] {
            let reply = service.ask(method, path, &[("x-api-key", KEY)]).await;
            let expected = if path == "/signals" { 200 } else { 503 };
            assert_eq!(reply.status, expected, "{method} {path}");
        }
    }
}

/// No key is asked for, and none is looked at.
#[tokio::test]
async fn while_the_store_is_closed_nothing_is_taken_and_that_is_said() {
    let service = with(Webhooks::ALL).await;
    let wrong_key = ("x-api-key", "a-wrong-operator-key");
    let hook = runpod_hook();
    let taken = service.send("POST", &hook, &[JSON, wrong_key], JOB).await;
    for reply in [taken, service.get_with_key("/jobs").await] {
        assert_eq!(reply.status, 503);
        assert_eq!(reply.error_code(), "unavailable");
        assert_eq!(reply.header("retry-after"), Some("5"));
        assert_eq!(
            reply.message(),
            "jobs cannot be taken or shown now; retry in 5 s"
        );
    }
    let unsigned = service.send("POST", HOOK, &[JSON, wrong_key], JOB).await;
    assert_eq!(unsigned.error_code(), "invalid_signature");
}

/// Whatever else is sent.
#[tokio::test]
async fn a_wrong_token_is_an_unknown_path() {
    let service = with(Webhooks::ALL).await;
    let unknown = service.send("POST", "/nothing", &[JSON], JOB).await;
    for headers in [&[JSON][..], &[], &[("content-encoding", "gzip")]] {
        let reply = service
            .send("POST", "/webhooks/runpod/x", headers, JOB)
            .await;
        assert_eq!(reply.error_code(), "not_found", "{headers:?}");
        assert_eq!(reply.message(), unknown.message());
        assert_eq!(reply.header("connection"), unknown.header("connection"));
    }
}

#[tokio::test]
async fn a_body_must_be_json_as_it_is() {
    let service = with(Webhooks::ALL).await;
    for path in [HOOK, &runpod_hook()] {
        for headers in [
            &[][..],
            &[("content-type", "text/plain")],
            &[("content-type", "application/x-www-form-urlencoded")],
            &[JSON, JSON],
            &[JSON, ("content-encoding", "gzip")],
            &[JSON, ("content-encoding", "identity, br")],
        ] {
            let reply = service.send("POST", path, headers, "{}").await;
            assert_eq!(reply.status, 415, "{path} {headers:?}");
            assert_eq!(reply.error_code(), "unsupported_media_type");
        }
        for headers in [
            &[("content-type", "application/cloudevents+json; a=b")][..],
            &[JSON, ("content-encoding", "identity")],
        ] {
            let reply = service.send("POST", path, headers, JOB).await;
            let expected = if path == HOOK { 401 } else { 503 };
            assert_eq!(reply.status, expected, "{path} {headers:?}");
        }
    }
}

#[tokio::test]
async fn a_body_of_a_mebibyte_is_taken_and_a_larger_one_is_not() {
    let service = with(Webhooks::ALL).await;
    let (most, more) = ("x".repeat(1 << 20), "x".repeat((1 << 20) + 1));
    for path in [HOOK, &runpod_hook()] {
        let ask = async |request: String| {
            let reply = exchange(&service.front, service.peer, &request).await;
            (reply.status, reply.header("connection").map(str::to_owned))
        };
        let told = |length: u64, body: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\n\r\n{body}"
            )
        };
        let closes = Some("close".to_owned());
        // By its length alone, before a byte of it has come.
        assert_eq!(ask(told(1 << 21, "")).await, (413, closes.clone()));
        assert_eq!(ask(told(1 << 40, "")).await, (413, closes.clone()));
        assert_eq!(ask(chunked(path, &more)).await, (413, closes.clone()));
        // It is read, and only then looked at.
        let read = if path == HOOK { 401 } else { 400 };
        assert_eq!(ask(told(1 << 20, &most)).await.0, read);
        assert_eq!(ask(chunked(path, &most)).await.0, read);
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_or_is_cut_is_told_apart() {
    let service = with(Webhooks::ALL).await;
    let cut = chunked(HOOK, "{}").replace("2\r\n{}", "zz\r\n");
    let reply = exchange(&service.front, service.peer, &cut).await;
    assert_eq!(reply.error_code(), "invalid_request");
    tokio::time::pause();
    let promised = format!(
        "POST {HOOK} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n{{"
    );
    let reply = exchange(&service.front, service.peer, &promised).await;
    assert_eq!(
        (reply.status, reply.error_code().as_str()),
        (408, "timeout")
    );
    assert_eq!(reply.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_malformed_query_of_jobs_names_what_is_accepted() {
    let service = with(Webhooks::ALL).await;
    for (query, named) in [
        ("status=done", "created, processing, completed, failed"),
        ("status=failed&status=failed", "status is given twice"),
        ("since=yesterday", "1h"),
        ("cursor=%20", "next_cursor"),
        ("cursor=AAAA", "next_cursor"),
        ("limit=0", "1 to 200"),
        ("limit=201", "1 to 200"),
        ("limit=%zz", "percent-encoding"),
    ] {
        let reply = service.get_with_key(&format!("/jobs?{query}")).await;
        assert_eq!(reply.status, 400, "{query}");
        assert_eq!(reply.error_code(), "invalid_request");
        assert!(reply.message().contains(named), "{}", reply.message());
    }
    for query in ["", "status=failed&since=1h&limit=200", "unknown=%zz"] {
        let reply = service.get_with_key(&format!("/jobs?{query}")).await;
        assert_eq!(reply.status, 503, "{query}");
    }
}

#[tokio::test]
async fn what_is_no_id_of_a_job_is_not_found_and_not_repeated() {
    let service = with(Webhooks::ALL).await;
    let long = format!("/jobs/{}", "x".repeat(129));
    for path in ["/jobs/%ff", "/jobs/a%20b", "/jobs/%C3%A9", &long] {
        let reply = service.get_with_key(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.error_code(), "job_not_found");
        assert!(!reply.body.contains("xxx"), "{}", reply.body);
    }
    for path in ["/jobs/a%2Fb", "/jobs/~", "/jobs/c80ffee4-f315-u1"] {
        assert_eq!(service.get_with_key(path).await.status, 503, "{path}");
    }
}

#[tokio::test]
async fn webhooks_are_never_limited_as_requests_and_what_asks_for_jobs_is() {
    let service = Service::configured([Pass; 3], |with| {
        with.webhooks = Webhooks::ALL;
        with.limits.per_second = 1;
        with.limits.burst = 2;
    })
    .settled()
    .await;
    let status = |reply: Reply| reply.status;
    for _ in 0..10 {
        let reply = service.send("POST", &runpod_hook(), &[JSON], JOB).await;
        assert_eq!(status(reply), 503);
    }
    for expected in [200, 200, 429] {
        assert_eq!(status(service.get_with_key("/signals").await), expected);
    }
    // A method that is not there is no way around.
    for expected in [405, 405, 429] {
        assert_eq!(status(service.ask("PUT", HOOK, &[]).await), expected);
    }
    // Guesses are counted, of either kind, and hinder no sender who knows.
    for (path, expected) in [
        (HOOK, 401),
        ("/webhooks/runpod/x", 404),
        (HOOK, 429),
        ("/webhooks/runpod/x", 429),
        (&runpod_hook(), 503),
    ] {
        let reply = service.send("POST", path, &[JSON], JOB).await;
        assert_eq!(status(reply), expected, "{path}");
    }
}

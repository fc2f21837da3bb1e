//! The whole service in process against upstreams on real sockets: what `/health` says of them.

use infra_health::serve::Stage;
use serde_json::Value;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::app::TestApp;
use crate::support::caller::{Caller, KEY, eventually, head, three_checks};
use crate::support::raw::Raw;
use crate::support::upstreams::{BUCKET, RUNPOD_KEY, Upstreams};

#[tokio::test]
async fn healthy_with_both_upstreams_up() {
    let upstreams = Upstreams::start().await;
    let app = TestApp::start(upstreams.pairs(), &[]);
    let body = app.until_status("healthy").await;
    assert_eq!(three_checks(&body), [true, true, true]);
    assert!(body["checked_at"].is_string(), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
    assert_eq!(app.get("/readyz").await.status, 200);
    assert_eq!(app.get("/health/r2_configured").await.status, 200);
    let asked = &upstreams.runpod.requests()[0];
    assert_eq!(asked.target, "/v2/abc/health");
    let bearer = format!("Bearer {RUNPOD_KEY}");
    assert_eq!(asked.header("authorization"), Some(bearer.as_str()));
    assert_eq!(app.end().await, Ok(()));
}

#[tokio::test]
async fn degraded_while_the_bucket_is_gone() {
    let upstreams = Upstreams::start().await;
    let app = TestApp::start(upstreams.pairs(), &[]);
    app.until_status("healthy").await;
    upstreams.s3.delete_bucket(BUCKET).unwrap();
    let body = app.until_status("degraded").await;
    assert_eq!(three_checks(&body), [true, true, false]);
    let details = app.until_reason("r2_configured", "bucket_not_found").await;
    assert_eq!(details["status"], "fail");
    assert!(
        details["consecutive_failures"].as_u64() >= Some(3),
        "{details}"
    );
    let failed = app.get("/health/r2_configured").await;
    assert_eq!(
        (failed.status, failed.json()["error"]["code"].as_str()),
        (503, Some("check_failed"))
    );
    assert_eq!(
        app.get("/readyz").await.status,
        200,
        "one upstream takes no replica out"
    );
    let changes = &details["transitions"];
    assert_eq!(
        (&changes[0]["to"], &changes[0]["reason"]),
        (&"fail".into(), &"bucket_not_found".into())
    );
    assert_eq!(
        (&changes[1]["to"], &changes[1]["reason"]),
        (&"pass".into(), &"ok".into())
    );
    assert_eq!(changes[2], Value::Null, "{changes}");
    assert!(
        changes[0]["at"].as_str() >= details["since"].as_str(),
        "{details}"
    );
    upstreams.s3.create_bucket(BUCKET).unwrap();
    app.until_status("healthy").await;
}

#[tokio::test]
async fn degraded_as_503_tells_the_same_and_spares_other_instances() {
    let strict = [("HEALTH_DEGRADED_STATUS", "503")];
    let app = TestApp::start([("R2_BUCKET", "videos")], &strict);
    let answer = app
        .until("/health", |answer| answer.json()["checks"]["api"] == true)
        .await;
    assert_eq!(answer.status, 503);
    let body = answer.json();
    assert_eq!(body["status"], "degraded");
    assert_eq!(body["checks"]["r2_configured"], false);
    assert_eq!(body["error"]["code"], "degraded");
    let id = body["error"]["request_id"].as_str().unwrap().to_lowercase();
    assert_eq!(answer.header("x-request-id"), Some(id.as_str()));
    let spared = app
        .ask("GET", "/health", &[("x-infra-health-probe", "1")])
        .await;
    assert_eq!(
        (spared.status, spared.json()["status"].as_str()),
        (200, Some("degraded"))
    );
    assert!(spared.json()["error"].is_null());
}

/// Two instances, each of which asks the other's `/health`: a shared fault must not outlive itself.
#[tokio::test]
async fn instances_that_watch_each_other_do_not_latch() {
    let upstreams = Upstreams::start().await;
    // The second one's address is known only after the first one has started.
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let watch = |address| format!("http://{address}/health");
    let strict = ("HEALTH_DEGRADED_STATUS", "503");
    let second = watch(relay.local_addr().unwrap());
    let a = TestApp::start(upstreams.pairs(), &[strict, ("API_HEALTH_URL", &second)]);
    let b = [strict, ("API_HEALTH_URL", &watch(a.0))];
    let b = TestApp::start(upstreams.pairs(), &b);
    let _relaying = relay_to(relay, *b);
    for instance in [&a, &b] {
        instance.until_status("healthy").await;
    }
    upstreams.s3.delete_bucket(BUCKET).unwrap();
    for instance in [&a, &b] {
        let body = instance.until_status("degraded").await;
        assert_eq!(three_checks(&body), [true, true, false]);
    }
    // Long enough for a latch to close: both have asked each other several times since.
    let asked = upstreams.runpod.calls() + 8;
    eventually("more rounds", async || upstreams.runpod.calls() >= asked).await;
    for instance in [&a, &b] {
        assert_eq!(instance.get("/health").await.json()["checks"]["api"], true);
    }
    upstreams.s3.create_bucket(BUCKET).unwrap();
    for instance in [&a, &b] {
        instance.until_status("healthy").await;
    }
}

fn relay_to(listener: TcpListener, to: Caller) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut relayed = JoinSet::new();
        while let Ok((mut from, _)) = listener.accept().await {
            relayed.spawn(async move {
                let mut to = TcpStream::connect(to.0).await?;
                copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    tasks
}

#[tokio::test]
async fn waiting_ends_with_health_with_the_timeout_or_with_a_drain() {
    let upstreams = Upstreams::start().await;
    upstreams.s3.delete_bucket(BUCKET).unwrap();
    let app = TestApp::start(upstreams.pairs(), &[]);
    app.until_reason("r2_configured", "bucket_not_found").await;

    let in_vain = app.get_as_operator("/health?wait=healthy&timeout=1s").await;
    assert_eq!(in_vain.status, 503, "whatever HEALTH_DEGRADED_STATUS says");
    assert_eq!(in_vain.json()["error"]["code"], "degraded");
    assert_eq!(in_vain.json()["checks"]["r2_configured"], false);

    let mut waiting = Raw::connect(app.0).await;
    let wait = head(
        "GET",
        "/health?wait=healthy&timeout=60s",
        &[("x-api-key", KEY)],
    );
    waiting.send(&wait).await;
    upstreams.s3.create_bucket(BUCKET).unwrap();
    let answer = waiting.answer().await.unwrap();
    assert_eq!(
        (answer.status, answer.json()["status"].as_str()),
        (200, Some("healthy"))
    );

    upstreams.s3.delete_bucket(BUCKET).unwrap();
    app.until_status("degraded").await;
    waiting.send(&wait).await;
    app.advance(Stage::Draining);
    let answer = waiting.answer().await.unwrap();
    assert_eq!(
        (answer.status, answer.json()["reason"].as_str()),
        (503, Some("draining"))
    );
    assert_eq!(answer.json()["error"]["code"], "not_ready");
}

#[tokio::test]
async fn the_listener_for_probes_has_nothing_else() {
    let app = TestApp::start([("PROBE_ADDR", "127.0.0.1:0")], &[]);
    let probes = app.probes.unwrap();
    probes.until("/readyz", |answer| answer.status == 200).await;
    assert_eq!(probes.get("/livez").await.status, 200);
    for target in ["/health", "/health/api", "/", "/metrics"] {
        let answer = probes.get(target).await;
        assert_eq!(
            (answer.status, answer.json()["error"]["code"].as_str()),
            (404, Some("not_found")),
            "{target}"
        );
    }
    app.advance(Stage::Draining);
    let answer = probes.get("/readyz").await;
    assert_eq!(
        (answer.status, answer.json()["reason"].as_str()),
        (503, Some("draining"))
    );
    assert_eq!(probes.get("/livez").await.status, 200);
}

//! `/livez`, `/readyz` and the listener for them.

use std::sync::atomic::Ordering;

use crate::support::service::Mode::{Fail, Hang, Pass};
use crate::support::service::{Reply, Service, exchange};

fn reason(reply: &Reply) -> String {
    assert_eq!(
        (reply.status, reply.error_code().as_str()),
        (503, "not_ready")
    );
    reply.json()["reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn ready_is_a_latch_over_the_first_round_and_looks_at_no_check() {
    let service = Service::start([Pass, Hang, Fail]);
    assert_eq!(reason(&service.get("/readyz").await), "starting");
    assert_eq!(service.get("/livez").await.body, r#"{"status":"ok"}"#);
    service.set([Pass, Fail, Fail]);
    let service = service.settled().await;
    let reply = service.get("/readyz").await;
    reply.check_common();
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (200, r#"{"status":"ok"}"#)
    );
}

#[tokio::test]
async fn not_ready_while_draining_or_out_of_descriptors_yet_alive() {
    let service = Service::start([Pass; 3]).settled().await;
    let exhausted = &service.switches.descriptors_exhausted;
    exhausted.store(true, Ordering::SeqCst);
    assert_eq!(
        reason(&service.get("/readyz").await),
        "descriptors_exhausted"
    );
    service.drain();
    for path in ["/readyz", "/readyz?x"] {
        assert_eq!(reason(&service.get(path).await), "draining");
    }
    assert_eq!(service.get("/livez").await.status, 200);
    // Draining is no fault: health goes on telling the truth.
    assert_eq!(service.get("/health").await.json()["status"], "healthy");
}

#[tokio::test]
async fn required_checks_count() {
    let service = Service::configured([Fail, Pass, Pass], |with| {
        with.answers.ready_requires = vec!["r2_configured".to_owned(), "api".to_owned()];
    })
    .settled()
    .await;
    let reply = service.get("/readyz").await;
    assert_eq!(reason(&reply), "check_failed");
    assert!(reply.message().contains("api"), "{}", reply.message());
}

#[tokio::test]
async fn the_probe_listener_has_probes_only() {
    let service = Service::start([Pass; 3]).settled().await;
    let probes = service.front.probes_only();
    let get = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        exchange(&probes, service.peer, &request).await
    };
    assert_eq!(get("/livez").await.status, 200);
    assert_eq!(get("/readyz?x").await.status, 200);
    for path in ["/health", "/health?verbose", "/"] {
        let reply = get(path).await;
        assert_eq!(reply.error_code(), "not_found");
        assert!(!reply.message().contains("/health"), "{}", reply.message());
    }
    service.drain();
    assert_eq!(reason(&get("/readyz").await), "draining");
}

//! Connections to upstreams are opened once and kept: a handshake costs more than the answer, and upstreams count them.

use crate::support::binary::Service;
use crate::support::caller::{KEY, eventually};
use crate::support::fixture::{Fixture, Reply};
use crate::support::terminator::Terminator;
use crate::support::upstreams::{Pairs, fit_endpoint, listing, pairs};

/// Calls to each upstream in a test.
const ROUNDS: usize = 30;

/// RunPod and R2, both behind TLS.
struct Upstreams {
    runpod: Fixture,
    r2: Fixture,
    runpod_tls: Terminator,
    r2_tls: Terminator,
    bundle: tempfile::NamedTempFile,
}

impl Upstreams {
    async fn start() -> Upstreams {
        let runpod = Fixture::start(fit_endpoint()).await.unwrap();
        let r2 = Fixture::start(listing()).await.unwrap();
        let runpod_tls = Terminator::start(runpod.address()).await.unwrap();
        let r2_tls = Terminator::start(r2.address()).await.unwrap();
        let bundle = tempfile::NamedTempFile::new().unwrap();
        let both = runpod_tls.authority().to_owned() + r2_tls.authority();
        std::fs::write(bundle.path(), both).unwrap();
        Upstreams {
            runpod,
            r2,
            runpod_tls,
            r2_tls,
            bundle,
        }
    }

    /// The variables of a service that asks both when it is told to, and has time for it.
    fn pairs(&self, endpoints: &str) -> Pairs {
        let mut pairs = pairs(&self.runpod_tls.url(), &self.r2_tls.url());
        pairs.retain(|(name, _)| *name != "RUNPOD_ENDPOINT_ID");
        let bundle = self.bundle.path().to_str().unwrap();
        for (name, value) in [
            ("RUNPOD_ENDPOINT_ID", endpoints),
            ("SSL_CERT_FILE", bundle),
            ("API_KEYS", KEY),
            ("CHECK_INTERVAL", "1h"),
            ("CHECK_RETRY_INTERVAL", "1ms"),
            ("CHECK_TIMEOUT", "20s"),
            ("LOG_FORMAT", "json"),
        ] {
            pairs.push((name, value.to_owned()));
        }
        pairs
    }

    /// Has the service ask until both have had [`ROUNDS`] further calls.
    async fn further_rounds(&self, service: &Service) {
        let (runpod, r2) = (self.runpod.calls() + ROUNDS, self.r2.calls() + ROUNDS);
        eventually("further rounds", async || {
            service
                .ask("POST", "/health/refresh", &[("x-api-key", KEY)])
                .await;
            self.runpod.calls() >= runpod && self.r2.calls() >= r2
        })
        .await;
    }

    /// TLS connections so far.
    fn connections(&self) -> (usize, usize) {
        (self.runpod_tls.handshakes(), self.r2_tls.handshakes())
    }
}

#[tokio::test]
async fn one_tls_connection_an_upstream_serves_every_round() {
    let upstreams = Upstreams::start().await;
    let service = Service::start(upstreams.pairs("main=abc"), &[]).await;
    service.until_status("healthy").await;
    upstreams.further_rounds(&service).await;
    assert_eq!(upstreams.connections(), (1, 1));
    // What the service counts of itself agrees.
    let metrics = service.get_as_operator("/metrics").await.body;
    let metrics = String::from_utf8(metrics).unwrap();
    for check in ["runpod_configured", "r2_configured"] {
        let wanted = format!(
            r#"infra_health_upstream_phase_duration_seconds_count{{check="{check}",phase="connect"}} 1"#
        );
        assert!(metrics.contains(&wanted), "{wanted}\n{metrics}");
    }
}

#[tokio::test]
async fn endpoints_of_one_host_are_asked_at_once_over_a_connection_each_and_open_no_more() {
    let upstreams = Upstreams::start().await;
    let service = Service::start(upstreams.pairs("one=abc,two=def,three=ghi"), &[]).await;
    service.until_status("healthy").await;
    upstreams.further_rounds(&service).await;
    // HTTP/1.1: what is under way at the same time needs connections of its own.
    let (runpod, r2) = upstreams.connections();
    assert!((1..=3).contains(&runpod), "{runpod} connections");
    assert_eq!(r2, 1);
}

#[tokio::test]
async fn a_connection_that_an_upstream_has_closed_is_replaced_by_one() {
    let upstreams = Upstreams::start().await;
    let service = Service::start(upstreams.pairs("main=abc"), &[]).await;
    service.until_status("healthy").await;
    assert_eq!(upstreams.connections(), (1, 1));
    let calls = upstreams.runpod.calls();
    upstreams.runpod.set(Reply::Close);
    eventually("a call that is not answered", async || {
        service
            .ask("POST", "/health/refresh", &[("x-api-key", KEY)])
            .await;
        upstreams.runpod.calls() > calls
    })
    .await;
    upstreams.runpod.set(fit_endpoint());
    let (unanswered, _) = upstreams.connections();
    upstreams.further_rounds(&service).await;
    assert_eq!(upstreams.connections(), (unanswered + 1, 1));
    service.until_status("healthy").await;
}

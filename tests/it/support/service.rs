//! The front with three checks that tests hold in their hands, asked over an in-memory connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use infra_health::check::{Check, Context, Finding, Outcome};
use infra_health::clock::Clock;
use infra_health::config::secret::{ApiKeys, Current};
use infra_health::config::{Answers, Details, Limits, Policy};
use infra_health::http::endpoints::Webhooks;
use infra_health::http::{Facts, Front, Setup, options};
use infra_health::metrics::Metrics;
use infra_health::monitor::{self, Monitor};
use infra_health::peer::Peer;
use infra_health::reason::{MISSING_CONFIG, Reason};
use infra_health::registry::{Info, Registry};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::watch;
use tokio::time::timeout;

use super::contract::Exchange;
use super::raw::DEADLINE;

/// A configured key.
pub(crate) const KEY: &str = "an-operator-key-0001";
/// What a panic carries in these tests: it must be seen nowhere.
pub(crate) const CANARY: &str = "canary-of-a-panic";

/// What a check does in its next run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Refuted: false at once at start.
    Fail,
    /// Does not answer before the mode changes.
    Hang,
}

macro_rules! check {
    ($type:ident, $name:literal) => {
        struct $type(watch::Receiver<Mode>);
        impl Check for $type {
            const NAME: &'static str = $name;
            const REASONS: &'static [&'static Reason] = &[];
            type Data = ();
            async fn run(&mut self, _cx: &Context) -> Outcome<()> {
                let mode = self.0.wait_for(|mode| *mode != Mode::Hang).await;
                match mode.map(|mode| *mode) {
                    Ok(Mode::Pass) => Outcome::pass(),
                    _ => Outcome::of(Finding::new(&MISSING_CONFIG)),
                }
            }
        }
    };
}
check!(Api, "api");
check!(RunPod, "runpod_configured");
check!(R2, "r2_configured");

/// The configuration of a test; the default is the service's own but for the time it waits.
pub(crate) struct Configured {
    pub(crate) answers: Answers,
    pub(crate) limits: Limits,
    pub(crate) keys: Vec<&'static str>,
    pub(crate) policy: Policy,
    pub(crate) webhooks: Webhooks,
}

impl Default for Configured {
    fn default() -> Self {
        // Nothing runs twice unless it is asked to, and no deadline of ours ends a test early.
        let long = Duration::from_hours(1);
        Configured {
            answers: Answers {
                details: Details::Authorized,
                degraded_is_503: false,
                require_api_key: false,
                exclude: Vec::new(),
                deadline: DEADLINE,
                ready_requires: Vec::new(),
            },
            limits: Limits {
                per_second: 0,
                burst: 1,
                exempt: Vec::new(),
                trusted_proxies: Vec::new(),
            },
            keys: vec![KEY],
            policy: Policy {
                interval: long,
                timeout: long,
                retry_interval: long,
                ..Policy::default()
            },
            webhooks: Webhooks::default(),
        }
    }
}

/// What the process knows of itself, as the test wants it.
#[derive(Default)]
pub(crate) struct Switches {
    pub(crate) descriptors_exhausted: AtomicBool,
    pub(crate) panics: AtomicBool,
}

/// A running service without a socket.
pub(crate) struct Service {
    pub(crate) front: Front,
    pub(crate) peer: SocketAddr,
    pub(crate) switches: Arc<Switches>,
    modes: [watch::Sender<Mode>; 3],
    draining: watch::Sender<bool>,
    monitor: Option<Monitor>,
}

impl Service {
    /// With the default configuration.
    pub(crate) fn start(modes: [Mode; 3]) -> Service {
        Self::configured(modes, |_| {})
    }

    pub(crate) fn configured(modes: [Mode; 3], adjust: impl FnOnce(&mut Configured)) -> Service {
        let mut configured = Configured::default();
        adjust(&mut configured);
        let policy = configured.policy;
        let infos = vec![
            Info::of::<Api>(policy),
            Info::of::<RunPod>(policy),
            Info::of::<R2>(policy),
        ];
        let [api, runpod, r2] = modes.map(watch::Sender::new);
        let receivers = [api.subscribe(), runpod.subscribe(), r2.subscribe()];
        let monitor = monitor::start(monitor::Setup {
            infos: infos.clone(),
            options: options(&configured.answers, &infos),
            clock: Clock::default(),
            refresh_gap: Duration::from_nanos(1),
            build: move || {
                let [api, runpod, r2] = receivers;
                let mut registry = Registry::new();
                registry.add(policy, move || Api(api.clone()))?;
                registry.add(policy, move || RunPod(runpod.clone()))?;
                registry.add(policy, move || R2(r2.clone()))?;
                Ok(registry)
            },
            on_beat: Box::new(|_| {}),
        })
        .unwrap();
        let switches = Arc::new(Switches::default());
        let draining = watch::Sender::new(false);
        let front = Front::new(Setup {
            answers: configured.answers,
            limits: configured.limits,
            api_keys: Current::fixed(keys(&configured.keys)),
            infos,
            monitor: monitor.handle.clone(),
            facts: facts(&switches, &draining),
            metrics: Metrics::default(),
            webhooks: configured.webhooks,
            #[cfg(feature = "jobs")]
            jobs: closed_room(configured.webhooks),
        });
        Service {
            front,
            peer: SocketAddr::from(([192, 0, 2, 1], 4711)),
            switches,
            modes: [api, runpod, r2],
            draining,
            monitor: Some(monitor),
        }
    }

    /// What the checks do from now on.
    pub(crate) fn set(&self, modes: [Mode; 3]) {
        for (sender, mode) in self.modes.iter().zip(modes) {
            sender.send_replace(mode);
        }
    }

    pub(crate) fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Ends the monitor: no result is ever newer than now.
    pub(crate) fn stop_monitor(&mut self) {
        self.monitor = None;
    }

    /// Starts with the first round over.
    pub(crate) async fn settled(self) -> Service {
        self.settled_but(&[]).await
    }

    /// The same for all but those that hang.
    pub(crate) async fn settled_but(self, hanging: &[&str]) -> Service {
        let mut published = self.front_published();
        let settled = published.wait_for(|published| {
            let mut checks = published.snapshot.checks.iter();
            checks.all(|check| !check.is_starting() || hanging.contains(&check.info.name))
        });
        timeout(DEADLINE, settled).await.unwrap().unwrap();
        self
    }

    fn front_published(&self) -> watch::Receiver<Arc<infra_health::answers::Published>> {
        self.monitor.as_ref().unwrap().handle.published.clone()
    }

    /// `GET path` without further headers.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[]).await
    }

    /// `GET path` with the configured key.
    pub(crate) async fn get_with_key(&self, path: &str) -> Reply {
        self.ask("GET", path, &[("x-api-key", KEY)]).await
    }

    /// A request without a body.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(method, path, headers, "").await
    }

    /// A request with a body, whose length is told.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        if !body.is_empty() {
            request.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
        }
        request.push_str("\r\n");
        request.push_str(body);
        exchange(&self.front, self.peer, &request).await
    }
}

/// A token of RunPod's webhook.
pub(crate) const TOKEN: &str = "a-token-that-nobody-may-ever-see-0001";

/// A job room whose store has no place.
#[cfg(feature = "jobs")]
fn closed_room(webhooks: Webhooks) -> infra_health::jobs::Room {
    use infra_health::config::{Database, JobWebhooks, Jobs, Signals};
    let settings = Jobs {
        takes_webhooks: webhooks.jobs,
        takes_runpod: webhooks.runpod,
        max_age: Duration::from_hours(24),
        retention: Duration::from_hours(48),
        max_bytes: 1 << 30,
        signals: Signals {
            affect_health: false,
            latency_slo: Duration::from_mins(5),
            latency_slo_by_model: Vec::new(),
            failure_baseline: 0.02,
            failure_budget: 0.03,
            window: Duration::from_mins(15),
            min_samples: 20,
        },
    };
    let known = JobWebhooks {
        secrets: vec!["a-secret-of-nobody".into()],
        runpod_tokens: vec![Sha256::digest(TOKEN).into()],
    };
    let setup = infra_health::jobs::Setup {
        settings,
        webhooks: Current::fixed(known),
        database: Current::fixed(Database::Sqlite("/nonexistent/jobs.db".into())),
        clock: Clock::default(),
    };
    infra_health::jobs::Room::start(setup).unwrap().0
}

/// Sends the bytes of one request to `front` and reads to the end of the connection.
pub(crate) async fn exchange(front: &Front, peer: SocketAddr, request: &str) -> Reply {
    let (mut client, server) = duplex(1 << 20);
    let peer = Peer::from(peer);
    let service =
        service_fn(async |request| Ok::<_, Infallible>(front.handle(&peer, request).await));
    let connection = http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(server), service);
    let asked = async {
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let (_, answer) = timeout(DEADLINE * 2, futures_util::future::join(connection, asked))
        .await
        .expect("no answer within the deadline");
    let reply = Reply::parse(&answer);
    let mut line = request.split(' ');
    Exchange {
        method: line.next().unwrap(),
        target: line.next().unwrap(),
        status: reply.status,
        headers: &reply.headers,
        body: &reply.body.as_bytes()[..reply.length(request)],
    }
    .check();
    reply
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case, in the order of the wire.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Reply {
        let text = std::str::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        Reply {
            status: status.parse().unwrap(),
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    /// Of the first body: others may follow where several requests were sent.
    fn length(&self, request: &str) -> usize {
        match self.header("content-length") {
            Some(length) if !request.starts_with("HEAD ") => length.parse().unwrap(),
            _ => self.body.len(),
        }
    }

    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// `error.code`, after holding the reply to everything that an error must be.
    pub(crate) fn error_code(&self) -> String {
        let json = self.json();
        let error = json["error"].as_object().expect("an error body");
        assert_eq!(error.len(), 3, "{json}");
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert_eq!(error["request_id"].as_str(), self.header("x-request-id"));
        self.check_common();
        error["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }

    /// What holds for every response.
    pub(crate) fn check_common(&self) {
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        assert!(self.header("x-request-id").is_some());
    }
}

fn keys(plain: &[&str]) -> ApiKeys {
    ApiKeys {
        digests: plain
            .iter()
            .map(|key| Sha256::digest(key.as_bytes()).into())
            .collect(),
    }
}

fn facts(switches: &Arc<Switches>, draining: &watch::Sender<bool>) -> Facts {
    let (is, begun) = (draining.subscribe(), draining.subscribe());
    let (exhausted, panics) = (Arc::clone(switches), Arc::clone(switches));
    Facts {
        is_draining: Box::new(move || {
            assert!(!panics.panics.load(Ordering::SeqCst), "{CANARY}");
            *is.borrow()
        }),
        drain_begun: Box::new(move || {
            let mut begun = begun.clone();
            async move {
                if begun.wait_for(|draining| *draining).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            .boxed()
        }),
        descriptors_exhausted: Box::new(move || {
            exhausted.descriptors_exhausted.load(Ordering::SeqCst)
        }),
    }
}

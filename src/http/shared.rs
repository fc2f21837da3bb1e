//! What all answers are made from.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::accept::Accepts;
use super::endpoints::Webhooks;
use super::probes::Latch;
use super::traffic::Traffic;
use super::wait::WAITERS;
use crate::answers::{Options, Published};
use crate::config;
use crate::config::secret::{ApiKeys, Current};
use crate::metrics::Metrics;
use crate::monitor;
use crate::registry::Info;
use crate::snapshot::{CheckSet, Moment};

/// What the answers need of the rest of the process.
pub struct Setup {
    /// Policy of the answers.
    pub answers: config::Answers,
    /// Rate limit and client addresses.
    pub limits: config::Limits,
    /// This service's keys.
    pub api_keys: Current<ApiKeys>,
    /// The checks, in the order of the snapshot.
    pub infos: Vec<Info>,
    /// The monitor's answering side.
    pub monitor: monitor::Handle,
    /// What the process knows of itself.
    pub facts: Facts,
    /// What `/metrics` shows besides the checks and the requests.
    pub metrics: Metrics,
    /// Which webhooks are configured.
    pub webhooks: Webhooks,
    /// The room that takes them and knows the jobs.
    #[cfg(feature = "jobs")]
    pub jobs: crate::jobs::Room,
}

/// What the process knows of itself. The functions are called once a request: they must be cheap.
pub struct Facts {
    /// Whether a shutdown has begun.
    pub is_draining: Box<dyn Fn() -> bool + Send + Sync>,
    /// Resolves once a shutdown has begun: it ends `?wait`.
    pub drain_begun: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
    /// Whether too few descriptors are left for new connections.
    pub descriptors_exhausted: Box<dyn Fn() -> bool + Send + Sync>,
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Facts")
    }
}

/// How the monitor renders what most requests ask for, and what requests with options start from.
pub fn options(answers: &config::Answers, infos: &[Info]) -> Options {
    Options {
        excluded: positions(&answers.exclude, infos).fold(CheckSet::EMPTY, CheckSet::with),
        degraded_is_503: answers.degraded_is_503,
        ..Options::default()
    }
}

/// How long a refresh waits at most: the longest timeout of a check and 1 s.
pub fn refresh_patience(infos: &[Info]) -> Duration {
    let longest = infos.iter().map(|info| info.policy.timeout).max();
    longest.unwrap_or_default() + Duration::from_secs(1)
}

/// Names that no check has are left out; the configuration has told of them.
fn positions<'a>(names: &'a [String], infos: &'a [Info]) -> impl Iterator<Item = usize> + 'a {
    names
        .iter()
        .filter_map(|name| infos.iter().position(|info| info.name == name))
}

/// Shared by all requests of all listeners.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) monitor: monitor::Handle,
    pub(super) facts: Facts,
    pub(super) policy: config::Answers,
    /// As published.
    pub(super) options: Options,
    pub(super) names: Vec<&'static str>,
    /// The positions of `READY_REQUIRES`.
    pub(super) required: Vec<usize>,
    pub(super) started: Latch,
    pub(super) waiters: Semaphore,
    pub(super) refresh_patience: Duration,
    /// The OpenAPI document, made when it is first asked for: a start does not wait for it.
    pub(super) document: OnceLock<Bytes>,
    pub(super) infos: Vec<Info>,
    pub(super) traffic: Traffic,
    pub(super) metrics: Metrics,
    #[cfg(feature = "jobs")]
    pub(super) jobs: super::jobs::Door,
}

impl Shared {
    pub(super) fn new(setup: Setup) -> Self {
        let Setup {
            answers,
            infos,
            monitor,
            facts,
            metrics,
            #[cfg(feature = "jobs")]
            webhooks,
            #[cfg(feature = "jobs")]
            jobs,
            ..
        } = setup;
        Shared {
            options: options(&answers, &infos),
            names: infos.iter().map(|info| info.name).collect(),
            required: positions(&answers.ready_requires, &infos).collect(),
            refresh_patience: refresh_patience(&infos),
            document: OnceLock::new(),
            infos,
            policy: answers,
            started: Latch::default(),
            waiters: Semaphore::new(WAITERS),
            traffic: Traffic::new(),
            metrics,
            #[cfg(feature = "jobs")]
            jobs: super::jobs::Door::new(jobs, webhooks),
            monitor,
            facts,
        }
    }

    /// To keep; what is done with it at once can borrow it.
    pub(super) fn published(&self) -> Arc<Published> {
        Arc::clone(&self.monitor.published.borrow())
    }

    pub(super) fn moment(&self, now: Instant) -> Moment {
        Moment {
            now,
            stalled: self.monitor.heartbeat.is_stalled(now),
        }
    }
}

/// What handlers know of who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    /// Showed a valid key.
    pub(super) authorized: bool,
    /// Is another instance's check of this API (`X-Infra-Health-Probe: 1`).
    pub(super) is_probe: bool,
    /// The media types that the request's `Accept` names.
    pub(super) accepts: Accepts,
    /// When the request came.
    pub(super) at: Instant,
}

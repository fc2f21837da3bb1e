//! The shape of the job room's configuration.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::detail::Label;

/// The check that `SIGNALS_AFFECT_HEALTH` adds.
pub const JOB_SIGNALS: &str = "job_signals";

/// The job room's settings that do not change while the service runs.
#[derive(Debug, Clone)]
pub struct Jobs {
    /// `JOB_WEBHOOK_SECRET` is set: `POST /webhooks/jobs` exists.
    pub takes_webhooks: bool,
    /// `RUNPOD_WEBHOOK_TOKEN` is set: `POST /webhooks/runpod/{token}` exists.
    pub takes_runpod: bool,
    /// `JOB_WEBHOOK_MAX_AGE`, default 24 h, 1 s to 30 d: how late a delivery may come by its own timestamp.
    pub max_age: Duration,
    /// `JOBS_RETENTION`, default 90 d, up to 10 years; longer than `max_age` and 5 min, and than the window.
    pub retention: Duration,
    /// `JOBS_MAX_BYTES`, default 1 GiB, 1 MiB to 16 TiB.
    pub max_bytes: u64,
    /// When the signals fire.
    pub signals: Signals,
}

/// When the signals fire.
#[derive(Debug, Clone)]
pub struct Signals {
    /// `SIGNALS_AFFECT_HEALTH`: adds the check `job_signals`.
    pub affect_health: bool,
    /// `LATENCY_SLO`: the longest p95 of models without one of their own; default 5 m, 1 ms to 24 h.
    pub latency_slo: Duration,
    /// `LATENCY_SLO`: the `model=duration` pairs, each model once, at most 30.
    pub latency_slo_by_model: Vec<(Label, Duration)>,
    /// `FAILURE_RATE_BASELINE`, 0 to 1.
    pub failure_baseline: f64,
    /// `FAILURE_RATE_BUDGET`, 0 to 1; the sum with the baseline is at most 1.
    pub failure_budget: f64,
    /// `SIGNAL_WINDOW`, default 15 m, 100 ms to 24 h: the span looked at, and the time that p95 must be over its SLO to fire.
    pub window: Duration,
    /// `SIGNAL_MIN_SAMPLES`, default 20, at least 1: fewer jobs in the window say nothing.
    pub min_samples: u64,
}

/// What webhooks are checked against. Empty lists where nothing is configured.
#[derive(Clone, Default)]
pub struct JobWebhooks {
    /// `JOB_WEBHOOK_SECRET`: any of them may have signed.
    pub secrets: Vec<SecretString>,
    /// `RUNPOD_WEBHOOK_TOKEN`: SHA-256 of each.
    pub runpod_tokens: Vec<[u8; 32]>,
}

impl fmt::Debug for JobWebhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secrets, tokens) = (self.secrets.len(), self.runpod_tokens.len());
        write!(f, "JobWebhooks({secrets} secrets, {tokens} tokens)")
    }
}

/// `JOBS_DATABASE_URL`: where jobs are kept.
#[derive(Debug, Clone)]
pub enum Database {
    /// `sqlite://path`: a file, made if it is not there; its folder must be.
    Sqlite(PathBuf),
    /// `postgres://…`: a whole URL with user, host and database, its parameters checked. Holds a password.
    Postgres(SecretString),
}

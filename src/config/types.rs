//! The shape of a valid configuration.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use reqwest::Url;
use secrecy::SecretString;

use super::job_types::Jobs;
use super::proxy::ProxyUrl;
use crate::detail::{Detail, Label};

/// Everything the program needs to know, all of it valid.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses, connections, shutdown.
    pub server: Server,
    /// What `/health` and `/readyz` answer.
    pub answers: Answers,
    /// Rate limit and client addresses.
    pub limits: Limits,
    /// Log output.
    pub log: Log,
    /// The pace of a check that has no variables of its own.
    pub policy: Policy,
    /// `RUNPOD_CHECK_INTERVAL`, `RUNPOD_CHECK_TIMEOUT` over [`Config::policy`].
    pub runpod_policy: Policy,
    /// `R2_CHECK_INTERVAL` (60 s unless `CHECK_INTERVAL` is set), `R2_CHECK_TIMEOUT` over [`Config::policy`].
    pub r2_policy: Policy,
    /// The job room and its signals.
    pub jobs: Jobs,
    /// `API_HEALTH_URL`.
    pub api_health_url: Option<Url>,
    /// `HTTPS_PROXY`: the only proxy ever used, for `https` upstreams.
    pub https_proxy: Option<ProxyUrl>,
    /// Soft lints and likely misspellings, one sentence each: told at start, by `config` and by `doctor`.
    pub warnings: Vec<Detail>,
}

/// Listening, connections, shutdown.
#[derive(Debug, Clone)]
pub struct Server {
    /// `HOST`, default 127.0.0.1.
    pub host: IpAddr,
    /// `PORT`, default 8080; 0 takes a free one.
    pub port: u16,
    /// `PROBE_ADDR`: a second listener with `/livez` and `/readyz` only.
    pub probe_addr: Option<SocketAddr>,
    /// `METRICS_ADDR`: a further listener with `/metrics` only.
    pub metrics_addr: Option<SocketAddr>,
    /// `MAX_CONNECTIONS`, as far as the descriptor limit allows; `None` (0) derives it from that limit.
    pub max_connections: Option<usize>,
    /// `HEADER_TIMEOUT`, default 5 s: from accept, or from a request's first byte, to its whole head.
    pub header_timeout: Duration,
    /// `IDLE_TIMEOUT`, default 75 s between two requests of a connection.
    pub idle_timeout: Duration,
    /// `SHUTDOWN_DELAY`, default 7 s: still accepting, already not ready.
    pub shutdown_delay: Duration,
    /// `SHUTDOWN_GRACE`, default 10 s for what is busy once the listener is closed.
    pub shutdown_grace: Duration,
}

/// Policy of the answers.
#[derive(Debug, Clone)]
pub struct Answers {
    /// `HEALTH_DETAILS`.
    pub details: Details,
    /// `HEALTH_DEGRADED_STATUS=503`.
    pub degraded_is_503: bool,
    /// `HEALTH_REQUIRE_API_KEY`.
    pub require_api_key: bool,
    /// `HEALTH_EXCLUDE`: checks that are shown and do not count. Names are validated by `checks`.
    pub exclude: Vec<String>,
    /// `HEALTH_DEADLINE`, default 800 ms: the longest wait for a first round.
    pub deadline: Duration,
    /// `READY_REQUIRES`: checks that `/readyz` depends on. Names are validated by `checks`.
    pub ready_requires: Vec<String>,
}

/// Who may see details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Details {
    /// Holders of a key.
    Authorized,
    /// Anyone.
    Always,
    /// Nobody.
    Never,
}

/// Rate limit and client addresses.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `RATE_LIMIT_PER_SECOND`, default 50; 0 switches the limiter off.
    pub per_second: u32,
    /// `RATE_LIMIT_BURST`, default 100, at least 1.
    pub burst: u32,
    /// `RATE_LIMIT_EXEMPT`.
    pub exempt: Vec<IpNet>,
    /// `TRUSTED_PROXIES`.
    pub trusted_proxies: Vec<IpNet>,
}

/// Log output.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    /// `LOG_LEVEL`, default info.
    pub level: tracing::level_filters::LevelFilter,
    /// `LOG_FORMAT`.
    pub format: LogFormat,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// JSON unless standard output is a terminal.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// The pace and the thresholds of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Between two runs of a decided check.
    pub interval: Duration,
    /// For one run; at most the interval.
    pub timeout: Duration,
    /// Between two runs while undecided; also the least distance of two refreshes.
    pub retry_interval: Duration,
    /// Failures in a row that turn a true check false.
    pub failure_threshold: u32,
    /// Passes in a row that turn a false check true.
    pub success_threshold: u32,
}

impl Policy {
    /// Every delay is spread by this fraction both ways.
    pub const JITTER: f64 = 0.1;

    /// A result older than this is stale: 3 × interval + timeout.
    pub fn stale_after(&self) -> Duration {
        self.interval * 3 + self.timeout
    }
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            retry_interval: Duration::from_secs(5),
            failure_threshold: 3,
            success_threshold: 2,
        }
    }
}

/// One thing wrong with the configuration. Never holds the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable, as the operator spells it (`R2_BUCKET`, `R2_SECRET_ACCESS_KEY_FILE`).
    pub variable: &'static str,
    /// What is wrong: "is not a duration", "has 25 characters".
    pub wrong: Detail,
    /// What is accepted: "a number with a unit, such as 30s or 500ms".
    pub accepted: &'static str,
}

impl Problem {
    /// As a detail that a finding can carry.
    pub fn detail(&self) -> Detail {
        Detail::new()
            .text(self.variable)
            .text(" ")
            .then(&self.wrong)
            .text("; accepted: ")
            .text(self.accepted)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.detail().fmt(f)
    }
}

/// What a check finds of its own configuration.
#[derive(Debug, Clone)]
pub enum Setup<T> {
    /// These variables are not set.
    Missing(Vec<&'static str>),
    /// These values cannot be right; no call is made.
    Malformed(Vec<Problem>),
    /// Ready to ask.
    Ready(T),
}

impl<T> Setup<T> {
    /// The settings, if a call can be made.
    pub fn ready(&self) -> Option<&T> {
        match self {
            Setup::Ready(settings) => Some(settings),
            Setup::Missing(_) | Setup::Malformed(_) => None,
        }
    }
}

/// RunPod, ready to ask.
#[derive(Debug, Clone)]
pub struct RunPod {
    /// `RUNPOD_ENDPOINT_BASE_URL`, without a trailing slash in its path.
    pub base_url: Url,
    /// `RUNPOD_API_KEY`.
    pub api_key: SecretString,
    /// `RUNPOD_ENDPOINT_ID`, at least one, names and ids unique.
    pub endpoints: Vec<RunPodEndpoint>,
    /// `RUNPOD_BACKLOG_LIMIT`.
    pub backlog_limit: Option<u64>,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPodEndpoint {
    /// The configured name, or the id.
    pub name: Label,
    /// `[A-Za-z0-9_-]+`.
    pub id: Label,
}

/// R2, ready to ask.
#[derive(Debug, Clone)]
pub struct R2 {
    /// Scheme, host and port only; the bucket goes into the path.
    pub endpoint: Url,
    /// `R2_BUCKET`.
    pub bucket: Label,
    /// `R2_ACCESS_KEY_ID`.
    pub access_key_id: SecretString,
    /// `R2_SECRET_ACCESS_KEY`.
    pub secret_access_key: SecretString,
    /// `R2_SESSION_TOKEN`.
    pub session_token: Option<SecretString>,
}

//! The service's configuration, made up for this machine.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use infra_health::checks;
use infra_health::config::{self, Loaded, Problems};
use tempfile::TempDir;

use crate::day::pace::Pace;
use crate::upstreams::Upstreams;
use crate::{API_KEY, WATCHER_KEY, r2, runpod, webhooks};

/// All but the port.
pub(crate) struct Variables {
    checks: Vec<(&'static str, String)>,
    jobs: Vec<(&'static str, String)>,
    log_level: Option<String>,
}

impl Variables {
    /// With a `day`'s pace the signals are judged at it, and the log tells of errors alone unless
    /// `log_level` says otherwise: each job has lines of its own.
    pub(crate) fn new(
        upstreams: &Upstreams,
        files: &TempDir,
        day: Option<Pace>,
        log_level: Option<String>,
    ) -> Self {
        let (busy, quiet) = (runpod::BUSY, runpod::QUIET);
        let checks = vec![
            ("RUNPOD_ENDPOINT_BASE_URL", upstreams.runpod.url()),
            ("RUNPOD_API_KEY", runpod::API_KEY.to_owned()),
            (
                "RUNPOD_ENDPOINT_ID",
                format!("remove-bg={busy},upscale={quiet}"),
            ),
            ("RUNPOD_BACKLOG_LIMIT", runpod::BACKLOG_LIMIT.to_string()),
            ("R2_ENDPOINT_URL", upstreams.r2.url()),
            ("R2_ACCESS_KEY_ID", r2::ACCESS_KEY_ID.to_owned()),
            ("R2_SECRET_ACCESS_KEY", r2::SECRET_ACCESS_KEY.to_owned()),
            ("R2_BUCKET", r2::BUCKET.to_owned()),
            ("API_KEYS", format!("{API_KEY},{WATCHER_KEY}")),
            // So that each answer is seen in seconds…
            ("CHECK_INTERVAL", "2s".to_owned()),
            ("CHECK_TIMEOUT", "1s".to_owned()),
            ("CHECK_RETRY_INTERVAL", "500ms".to_owned()),
            // …and a 429 by hand.
            ("RATE_LIMIT_PER_SECOND", "10".to_owned()),
            ("RATE_LIMIT_BURST", "20".to_owned()),
            ("LOG_FORMAT", "text".to_owned()),
        ];
        let mut jobs = webhooks::variables(files.path());
        jobs.extend(day.into_iter().flat_map(Pace::variables));
        let quiet = day.map(|_| "error".to_owned());
        Variables {
            checks,
            jobs,
            log_level: log_level.or(quiet),
        }
    }

    pub(crate) fn load(&self, port: &str) -> Result<Loaded, Problems> {
        let port = [("PORT", port.to_owned())];
        let level = self.log_level.iter().cloned();
        let level = level.map(|level| ("LOG_LEVEL", level));
        let pairs = self.checks.iter().chain(&self.jobs).cloned();
        let pairs = pairs.chain(port).chain(level);
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
        config::load(pairs, checks::NAMES)
    }

    /// Writes the checks' where `ENV_FILE` can name them. Not the jobs': their database is this service's
    /// own, and another one with these variables must not write to it.
    pub(crate) fn write(&self, files: &TempDir) -> io::Result<PathBuf> {
        let mut text = String::new();
        for (name, value) in &self.checks {
            let _ = writeln!(text, "{name}={value}");
        }
        let path = files.path().join("sandbox.env");
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

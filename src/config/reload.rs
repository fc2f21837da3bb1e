//! The task that reads secret files again.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::generation::Watched;

/// How often files are read again.
const PERIOD: Duration = Duration::from_secs(5);

/// Reads the secret files again and publishes what changed; a task of its own.
pub struct Reloader {
    watched: Vec<Box<dyn Watched>>,
    period: Duration,
    errors: ReloadErrors,
}

/// How many readings could not be used so far: one a group and period while it lasts.
#[derive(Debug, Clone, Default)]
pub struct ReloadErrors(Arc<AtomicU64>);

impl ReloadErrors {
    /// The count.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reloader({} groups)", self.watched.len())
    }
}

impl Reloader {
    pub(super) fn new(watched: Vec<Box<dyn Watched>>) -> Self {
        Reloader {
            watched,
            period: PERIOD,
            errors: ReloadErrors::default(),
        }
    }

    /// The same with another time between two readings than 5 s.
    #[must_use]
    pub fn with_period(self, period: Duration) -> Self {
        Reloader { period, ..self }
    }

    /// The counter of readings that could not be used, for metrics.
    pub fn reload_errors(&self) -> ReloadErrors {
        self.errors.clone()
    }

    /// Reads all files once. Blocks on them.
    pub fn poll(&mut self) {
        for watched in &mut self.watched {
            if !watched.poll() {
                self.errors.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Reads all files once every period, for ever; never returns, also without files.
    pub async fn run(mut self) {
        if self.watched.is_empty() {
            pending::<()>().await;
        }
        loop {
            tokio::time::sleep(self.period).await;
            // A file on a hung mount holds up this task and nothing else.
            let reading = tokio::task::spawn_blocking(move || {
                self.poll();
                self
            });
            self = match reading.await {
                Ok(reloader) => reloader,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The runtime is ending, and this task with it.
                Err(_) => return pending().await,
            };
        }
    }
}

//! The monitor's sign of life: all that liveness may look at.
//!
//! A [`Heartbeat`] takes nothing but time, so that no dependency can ever get into `/livez`, where it would
//! restart the whole fleet:
//!
//! ```compile_fail
//! // A heartbeat cannot be made outside the monitor, and from nothing that knows an upstream.
//! let _ = infra_health::monitor::Heartbeat::new();
//! ```
//! ```compile_fail
//! let state = infra_health::state::State::new();
//! infra_health::monitor::livez(&state, tokio::time::Instant::now());
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Between two beats.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// A beat older than this means that the monitor hangs.
pub const STALLED_AFTER: Duration = Duration::from_secs(30);

/// When the monitor last showed a sign of life.
#[derive(Debug, Clone)]
pub struct Heartbeat(Arc<Beat>);

#[derive(Debug)]
struct Beat {
    base: Instant,
    millis: AtomicU64,
}

impl Heartbeat {
    /// Alive now.
    pub(super) fn new() -> Self {
        Heartbeat(Arc::new(Beat {
            base: Instant::now(),
            millis: AtomicU64::new(0),
        }))
    }

    /// Still alive at `now`.
    pub(super) fn beat(&self, now: Instant) {
        let millis = now.saturating_duration_since(self.0.base).as_millis();
        self.0
            .millis
            .store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long ago the last beat was.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last())
    }

    /// Whether the last beat is too old.
    pub fn is_stalled(&self, now: Instant) -> bool {
        now > self.last() + STALLED_AFTER
    }

    fn last(&self) -> Instant {
        self.0.base + Duration::from_millis(self.0.millis.load(Ordering::Relaxed))
    }
}

/// Liveness: the process answers and its monitor runs. Nothing else may ever count here.
pub fn livez(heartbeat: &Heartbeat, now: Instant) -> bool {
    !heartbeat.is_stalled(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn fails_only_when_the_last_beat_is_over_thirty_seconds_old() {
        let heartbeat = Heartbeat::new();
        let start = Instant::now();
        assert!(livez(&heartbeat, start + STALLED_AFTER));
        assert!(!livez(
            &heartbeat,
            start + STALLED_AFTER + Duration::from_millis(1)
        ));
        heartbeat.beat(start + Duration::from_secs(10));
        assert!(livez(&heartbeat, start + Duration::from_secs(40)));
        assert!(!livez(&heartbeat, start + Duration::from_secs(41)));
    }
}

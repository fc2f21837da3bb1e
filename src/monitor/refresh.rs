//! A fresh fan-out on demand: single flight, at a bounded rate, each caller with a deadline of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::answers::Published;
use crate::snapshot::{Checked, Snapshot};

/// Asks all checks to run now.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// When the last fan-out was asked for.
    requests: Arc<watch::Sender<Option<Instant>>>,
    published: watch::Receiver<Arc<Published>>,
    gap: Duration,
    base: Instant,
    /// Nanoseconds since `base` of the last fan-out's start, plus one; 0 before any.
    last: Arc<AtomicU64>,
}

impl Refresh {
    pub(super) fn new(
        gap: Duration,
        published: watch::Receiver<Arc<Published>>,
    ) -> (Self, watch::Receiver<Option<Instant>>) {
        let (requests, receiver) = watch::channel(None);
        let refresh = Refresh {
            requests: Arc::new(requests),
            published,
            gap,
            base: Instant::now(),
            last: Arc::new(AtomicU64::new(0)),
        };
        (refresh, receiver)
    }

    /// Starts a fan-out, or joins one that is under way; waits until every check has a result of a run that
    /// began later, or a back-off that forbids one, at most `patience`. Returns the newest publication and
    /// the names of the checks whose results are of this fan-out: none when the last one is over and
    /// started less than the gap ago, so that it is too early for another.
    pub async fn run(&self, patience: Duration) -> (Arc<Published>, Vec<&'static str>) {
        let now = Instant::now();
        let mut published = self.published.clone();
        // From before the start: checks that answer at once may have results of this fan-out right after it,
        // and those are fresh.
        let before = published.borrow().clone();
        let started = self.start_or_join(now);
        if is_settled(&before.snapshot, started, now) {
            return (before, Vec::new());
        }
        // Either way, done or out of patience, the newest publication is the answer.
        let settled = published
            .wait_for(|published| is_settled(&published.snapshot, started, Instant::now()));
        let _ = timeout_at(now + patience, settled).await;
        let published = self.published.borrow().clone();
        let checks = published.snapshot.checks.iter();
        let fresh = checks.filter(|check| is_fresh(check, started));
        let fresh = fresh.map(|check| check.info.name).collect();
        (published, fresh)
    }

    fn start_or_join(&self, now: Instant) -> Instant {
        let nanos =
            |at: Instant| u64::try_from((at - self.base).as_nanos()).unwrap_or(u64::MAX - 1) + 1;
        let at = |stored: u64| self.base + Duration::from_nanos(stored.saturating_sub(1));
        let last = self.last.load(Ordering::Acquire);
        if last != 0 && now.saturating_duration_since(at(last)) < self.gap {
            return at(last);
        }
        match self
            .last
            .compare_exchange(last, nanos(now), Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => {
                let started = at(nanos(now));
                self.requests.send_replace(Some(started));
                started
            }
            // Somebody else has just started one.
            Err(other) => at(other),
        }
    }
}

fn is_settled(snapshot: &Snapshot, started: Instant, now: Instant) -> bool {
    snapshot
        .checks
        .iter()
        .all(|check| is_fresh(check, started) || backs_off(check, now))
}

fn is_fresh(check: &Checked, started: Instant) -> bool {
    check
        .state
        .last
        .as_ref()
        .is_some_and(|run| run.began() >= started)
}

fn backs_off(check: &Checked, now: Instant) -> bool {
    check
        .state
        .back_off_until
        .is_some_and(|until| until.mono > now)
}

//! Which of what is kept goes, and in which order; the databases know how.

use std::time::Duration;

use super::types::{Limits, Pruned};
use super::{Backend, Store, StoreError};

/// The most rows that one step takes: writers wait for it.
pub(super) const STEP_ROWS: i64 = 500;
/// The most bytes of bodies that one step takes, unless a single body is larger.
const STEP_BYTES: u64 = 8 << 20;

/// What pruning needs of a database. Each is a transaction of its own, at most.
pub(super) trait Prunable {
    /// Removes the oldest events that came before `until`, [`STEP_ROWS`] at most, with their bodies and with the jobs
    /// that nothing is left of. Says how many.
    async fn remove_events(&self, until: i64) -> Result<u64, sqlx::Error>;
    /// How much is kept; what is at most `enough` may be told as anything up to that.
    async fn bytes_beyond(&self, enough: u64) -> Result<u64, sqlx::Error>;
    /// Removes the oldest bodies, about `over` bytes of them within a step. Says how many.
    async fn remove_bodies(&self, over: u64) -> Result<u64, sqlx::Error>;
    /// Gives space back to the system until no more than `max_bytes` are taken, a little at a time. Says whether there
    /// is more to give.
    async fn shrink(&self, max_bytes: u64) -> Result<bool, sqlx::Error>;
}

impl Store {
    /// One small step of pruning at the time `now`; to be called again while `more`.
    ///
    /// Events older than `retention` go first, each job with its last one. Over `max_bytes` the oldest bodies go, and
    /// when none is left the oldest events. An event younger than `dedupe` is never removed, so what is kept may
    /// stay over `max_bytes`. Two replicas may prune at once.
    pub async fn prune(&self, limits: &Limits, now: i64) -> Result<Pruned, StoreError> {
        self.bounded(async {
            match &self.backend {
                Backend::Sqlite(sqlite) => step(sqlite, limits, now).await,
                Backend::Postgres(postgres) => step(postgres, limits, now).await,
            }
        })
        .await
    }

    /// How much is kept, by the measure of [`Limits::max_bytes`]: of SQLite the pages in use, of Postgres an estimate
    /// that falls at once when something is removed, though the server gives the space back later.
    pub async fn bytes(&self) -> Result<u64, StoreError> {
        self.bounded(async {
            match &self.backend {
                Backend::Sqlite(sqlite) => sqlite.bytes_beyond(0).await,
                Backend::Postgres(postgres) => postgres.bytes_beyond(0).await,
            }
        })
        .await
    }
}

async fn step(kept: &impl Prunable, limits: &Limits, now: i64) -> Result<Pruned, sqlx::Error> {
    let expired = before(now, limits.retention.max(limits.dedupe));
    let events = kept.remove_events(expired).await?;
    if events > 0 {
        return Ok(taken(0, events));
    }
    let bytes = kept.bytes_beyond(limits.max_bytes).await?;
    let over = bytes.saturating_sub(limits.max_bytes);
    if over > 0 {
        let bodies = kept.remove_bodies(over).await?;
        if bodies > 0 {
            return Ok(taken(bodies, 0));
        }
        let events = kept.remove_events(before(now, limits.dedupe)).await?;
        if events > 0 {
            return Ok(taken(0, events));
        }
    }
    let more = kept.shrink(limits.max_bytes).await?;
    Ok(Pruned {
        more,
        ..Pruned::default()
    })
}

/// Where something went there may be more.
fn taken(bodies: u64, events: u64) -> Pruned {
    let more = true;
    Pruned {
        bodies,
        events,
        more,
    }
}

/// `now` less `age`, in milliseconds since 1970.
fn before(now: i64, age: Duration) -> i64 {
    now.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

/// The last of the `oldest` bodies (their `seq` and size) that has to go for `over` bytes to be given back, within one
/// step. `None` without bodies.
pub(super) fn last_to_go(oldest: &[(i64, i64)], over: u64) -> Option<i64> {
    let mut freed = 0_u64;
    let mut last = None;
    for (seq, bytes) in oldest {
        if last.is_some() && freed >= over.min(STEP_BYTES) {
            break;
        }
        freed = freed.saturating_add(bytes.unsigned_abs());
        last = Some(*seq);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_bodies_go_as_are_needed_and_one_at_least() {
        let bodies = [(3, 10), (5, 10), (6, 10)];
        for (over, last) in [(1, 3), (10, 3), (11, 5), (20, 5), (21, 6), (u64::MAX, 6)] {
            assert_eq!(last_to_go(&bodies, over), Some(last), "{over}");
        }
        assert_eq!(last_to_go(&[], 1), None);
        // Of large ones only a few a step.
        let large: Vec<(i64, i64)> = (1..=500).map(|seq| (seq, 1 << 20)).collect();
        assert_eq!(last_to_go(&large, u64::MAX), Some(8));
        assert_eq!(last_to_go(&[(1, i64::MAX), (2, 1)], u64::MAX), Some(1));
    }

    #[test]
    fn no_age_is_too_great() {
        assert_eq!(before(5_000, Duration::from_secs(2)), 3_000);
        assert_eq!(before(0, Duration::MAX), -i64::MAX);
        assert_eq!(before(-5, Duration::MAX), i64::MIN);
    }
}

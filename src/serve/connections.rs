//! The one table of connections: the cap, the time limits, and the sweeper that enforces them.
//!
//! The lock is taken when a connection opens or ends and by the sweeper, never by a request.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Limits;
use super::drain::{Drain, Stage};
use super::report::{Cause, Counters};
use super::slot::{Phase, Slot, State, millis_since};

const SWEEP_INTERVAL: Duration = Duration::from_millis(250);
/// Once the listener is closed, what is silent for this long is closed.
const DRAIN_IDLE: Duration = Duration::from_secs(1);
/// For the client to close its side after ours.
const LINGER: Duration = Duration::from_secs(2);
/// One scan of a full table finds this many to give way, so that a flood of connections at the cap
/// does not cost a scan each.
const SCAN_YIELD: usize = 64;
const CAP_WARNING_INTERVAL: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Table {
    limits: Limits,
    epoch: Instant,
    counters: Arc<Counters>,
    inner: Mutex<Inner>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    entries: HashMap<u64, Entry>,
    /// Found by the last scan since the last sweep, the next to give way at the end. An unchanged one has
    /// still waited longest, because every change since has a later time.
    yielding: Vec<(u64, State)>,
    warned_at: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    slot: Arc<Slot>,
    abort: Option<AbortHandle>,
    /// The state that the previous sweep found overdue.
    suspect: Option<State>,
}

impl Entry {
    fn abort(&self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}

/// A connection's place in the table, given back when dropped.
#[derive(Debug)]
pub(super) struct Membership {
    table: Arc<Table>,
    id: u64,
    slot: Arc<Slot>,
}

impl Membership {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    pub(super) fn ended(&self, cause: Cause) {
        self.table.counters.ended(cause);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.table.lock().entries.remove(&self.id);
        self.table.counters.closed();
        self.table.emptied.notify_one();
    }
}

impl Table {
    pub(super) fn new(limits: Limits, counters: Arc<Counters>) -> Self {
        Table {
            limits,
            epoch: Instant::now(),
            counters,
            inner: Mutex::default(),
            emptied: Notify::new(),
        }
    }

    /// A place for a new connection. At the cap the one that has asked nothing for longest gives way,
    /// without any one whose client does not read, and never one that is at work: then there is no place.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Membership> {
        self.counters.accepted();
        let mut inner = self.lock();
        if inner.entries.len() >= self.limits.max_connections {
            inner.warn_at_cap(self.limits.max_connections);
            if !inner.evict_one() {
                self.counters.ended(Cause::Refused);
                return None;
            }
            self.counters.ended(Cause::Evicted);
        }
        let slot = Arc::new(Slot::new(self.epoch));
        let id = inner.next_id;
        inner.next_id += 1;
        inner.entries.insert(
            id,
            Entry {
                slot: Arc::clone(&slot),
                abort: None,
                suspect: None,
            },
        );
        self.counters.opened();
        Some(Membership {
            table: Arc::clone(self),
            id,
            slot,
        })
    }

    /// Ends the connection whose turn to give way it is, if there is any: for its descriptor.
    pub(super) fn relieve(&self) {
        if self.lock().evict_one() {
            self.counters.ended(Cause::Evicted);
        }
    }

    /// Hands over the means to end a connection. Not part of [`Table::admit`]: a runtime that is going
    /// away drops a task inside `spawn`, and that task's place needs the lock.
    pub(super) fn adopt(&self, id: u64, abort: AbortHandle) {
        match self.lock().entries.get_mut(&id) {
            Some(entry) => entry.abort = Some(abort),
            // Evicted by another thread before it had begun, or already at its end.
            None => abort.abort(),
        }
    }

    /// Returns once there is no connection.
    pub(super) async fn emptied(&self) {
        while !self.lock().entries.is_empty() {
            self.emptied.notified().await;
        }
    }

    /// Ends everything that is left.
    pub(super) fn abort_all(&self) {
        for (_, entry) in self.lock().entries.drain() {
            if matches!(entry.slot.state().phase(), Phase::Busy | Phase::Writing) {
                self.counters.ended(Cause::CutAtShutdown);
            }
            entry.abort();
        }
    }

    /// Enforces the time limits for ever.
    pub(super) async fn sweep_forever(&self, drain: &Drain) -> Infallible {
        loop {
            tokio::time::sleep(SWEEP_INTERVAL).await;
            // After a pause of the whole process the timer and the sockets wake their tasks together.
            // Those that have bytes to read go first.
            tokio::task::yield_now().await;
            self.sweep(millis_since(self.epoch), drain.stage() == Stage::Closing);
        }
    }

    /// Ends what was overdue in the previous sweep too and has not moved since. A request that arrives
    /// while its connection becomes overdue has a whole interval to be read.
    fn sweep(&self, now: u64, closing: bool) {
        let mut inner = self.lock();
        // Others that should go first may have come up since.
        inner.yielding.clear();
        inner.entries.retain(|_, entry| {
            let state = entry.slot.state();
            let Some(cause) = overdue(state, now, closing, &self.limits) else {
                entry.suspect = None;
                return true;
            };
            if entry.suspect.replace(state) != Some(state) || entry.abort.is_none() {
                return true;
            }
            if state.phase() != Phase::Lingering {
                self.counters.ended(cause);
            }
            entry.abort();
            false
        });
        drop(inner);
        self.emptied.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while holding it, and a table in doubt is better than none.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn evict_one(&mut self) -> bool {
        loop {
            while let Some((id, seen)) = self.yielding.pop() {
                if self
                    .entries
                    .get(&id)
                    .is_some_and(|entry| entry.slot.state() == seen)
                    && let Some(entry) = self.entries.remove(&id)
                {
                    entry.abort();
                    return true;
                }
            }
            if !self.scan() {
                return false;
            }
        }
    }

    /// Finds who gives way next: of the first rank that has any, those longest in it.
    fn scan(&mut self) -> bool {
        let mut found: Vec<_> = self
            .entries
            .iter()
            .map(|(&id, entry)| (id, entry.slot.state()))
            .filter_map(|(id, state)| {
                let (rank, since) = gives_way(state)?;
                Some((rank, since, id, state))
            })
            .collect();
        let key = |&(rank, since, id, _): &(u8, u64, u64, State)| (rank, since, id);
        if found.len() > SCAN_YIELD {
            found.select_nth_unstable_by_key(SCAN_YIELD, key);
            found.truncate(SCAN_YIELD);
        }
        found.sort_unstable_by_key(key);
        let first = found.first().map(|&(rank, ..)| rank);
        found.retain(|&(rank, ..)| Some(rank) == first);
        self.yielding = found
            .into_iter()
            .rev()
            .map(|(_, _, id, state)| (id, state))
            .collect();
        !self.yielding.is_empty()
    }

    fn warn_at_cap(&mut self, cap: usize) {
        if self
            .warned_at
            .is_none_or(|at| at.elapsed() >= CAP_WARNING_INTERVAL)
        {
            self.warned_at = Some(Instant::now());
            tracing::warn!(
                cap,
                "connection cap reached, the longest idle connection gives way"
            );
        }
    }
}

/// In which rank a connection gives way at the cap, and since when. Whoever has yet to ask something is
/// of one rank: a flood that asks nothing does not push out who asks now and then. One at work never
/// gives way, unless its client keeps us from going on.
fn gives_way(state: State) -> Option<(u8, u64)> {
    match state.phase() {
        Phase::Lingering => Some((0, state.since())),
        Phase::Idle | Phase::Fresh | Phase::Head => Some((1, state.since())),
        Phase::Busy | Phase::Writing => Some((2, state.blocked_since()?)),
    }
}

/// Whether a connection has been in its phase for too long, and what that is called.
fn overdue(state: State, now: u64, closing: bool, limits: &Limits) -> Option<Cause> {
    let age_of = |since| Duration::from_millis(now.saturating_sub(since));
    let age = age_of(state.since());
    let drained = closing && age >= DRAIN_IDLE;
    match state.phase() {
        Phase::Fresh if drained => Some(Cause::Idle),
        Phase::Fresh | Phase::Head => {
            (age >= limits.header_timeout).then_some(Cause::HeaderTimeout)
        }
        Phase::Idle => (drained || age >= limits.idle_timeout).then_some(Cause::Idle),
        Phase::Lingering => (drained || age >= LINGER).then_some(Cause::Idle),
        Phase::Busy | Phase::Writing => {
            let blocked = state.blocked_since().map(age_of);
            let stalled = age >= limits.busy_timeout || blocked >= Some(limits.header_timeout);
            stalled.then_some(Cause::Stalled)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_its_limit() {
        let limits = Limits::default();
        let cause = |phase, age_ms: u64, closing| {
            overdue(State::new(phase, 7), 7 + age_ms, closing, &limits)
        };
        for (phase, limit, closing_limit, expected) in [
            (Phase::Head, 5_000, 5_000, Cause::HeaderTimeout),
            (Phase::Idle, 75_000, 1_000, Cause::Idle),
            (Phase::Lingering, 2_000, 1_000, Cause::Idle),
            (Phase::Busy, 120_000, 120_000, Cause::Stalled),
            (Phase::Writing, 120_000, 120_000, Cause::Stalled),
        ] {
            assert_eq!(cause(phase, limit - 1, false), None, "{phase:?}");
            assert_eq!(cause(phase, limit, false), Some(expected), "{phase:?}");
            assert_eq!(cause(phase, closing_limit - 1, true), None, "{phase:?}");
            assert_eq!(
                cause(phase, closing_limit, true),
                Some(expected),
                "{phase:?}"
            );
        }
        assert_eq!(cause(Phase::Fresh, 4_999, false), None);
        assert_eq!(
            cause(Phase::Fresh, 5_000, false),
            Some(Cause::HeaderTimeout)
        );
        assert_eq!(cause(Phase::Fresh, 1_000, true), Some(Cause::Idle));
        for phase in [Phase::Busy, Phase::Writing] {
            let state = State::new(phase, 7).blocked(60_007);
            let cause = |now| overdue(state, now, false, &limits);
            assert_eq!(cause(65_006), None, "{phase:?}");
            assert_eq!(cause(65_007), Some(Cause::Stalled), "{phase:?}");
        }
    }

    fn table(max_connections: usize) -> Arc<Table> {
        let limits = Limits {
            max_connections,
            ..Limits::default()
        };
        Arc::new(Table::new(limits, Arc::default()))
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_cap_the_longest_idle_gives_way_and_busy_ones_never() {
        let table = table(4);
        let members: Vec<_> = (0..4).map(|_| table.admit().unwrap()).collect();
        let pass = || tokio::time::advance(Duration::from_millis(5));
        pass().await;
        members[0].slot().called();
        for id in [2, 1] {
            pass().await;
            members[id].slot().called();
            members[id].slot().body_ended();
            members[id].slot().flushed();
            members[id].slot().waits();
        }
        let ids = |table: &Table| {
            let mut ids: Vec<_> = table.lock().entries.keys().copied().collect();
            ids.sort_unstable();
            ids
        };
        let mut later = vec![table.admit().unwrap()];
        assert_eq!(ids(&table), [0, 1, 2, 4], "the longest without a request");
        later.push(table.admit().unwrap());
        assert_eq!(ids(&table), [0, 1, 4, 5], "then the longest idle");
        later.push(table.admit().unwrap());
        assert_eq!(ids(&table), [0, 4, 5, 6], "then the other one");
        for member in &later {
            member.slot().called();
        }
        assert!(table.admit().is_none(), "busy ones stay");
        later[1].slot().written(false);
        later[1].slot().written(true);
        assert!(table.admit().is_none(), "its client reads");
        pass().await;
        later[2].slot().written(false);
        pass().await;
        later[0].slot().written(false);
        later.push(table.admit().unwrap());
        assert_eq!(ids(&table), [0, 4, 5, 7], "its client does not read");
        let report = table.counters.report();
        assert_eq!(
            (report.count(Cause::Evicted), report.count(Cause::Refused)),
            (4, 2)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_scan_serves_many_evictions_and_skips_what_has_moved() {
        let table = table(100);
        let members: Vec<_> = (0..100).map(|_| table.admit().unwrap()).collect();
        tokio::time::advance(Duration::from_millis(5)).await;
        drop(table.admit());
        // Found by the scan as next to give way, busy since.
        members[1].slot().called();
        let _one = table.admit();
        let _two = table.admit();
        assert!(table.lock().entries.contains_key(&1));
        assert!(!table.lock().entries.contains_key(&2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_scan_does_not_outlast_a_sweep() {
        let table = table(100);
        let members: Vec<_> = (0..100).map(|_| table.admit().unwrap()).collect();
        tokio::time::advance(Duration::from_millis(5)).await;
        let _one = table.admit();
        assert!(!table.lock().entries.contains_key(&0));
        members[99].slot().lingering();
        table.sweep(5, false);
        let _two = table.admit();
        assert!(
            !table.lock().entries.contains_key(&99),
            "lingering ones first"
        );
        assert!(table.lock().entries.contains_key(&1));
    }

    #[tokio::test]
    async fn overdue_needs_two_sweeps_without_a_change() {
        let table = table(4);
        let member = table.admit().unwrap();
        let task = tokio::spawn(std::future::pending::<()>());
        table.adopt(member.id(), task.abort_handle());
        table.sweep(6_000, false);
        member.slot().bytes_read();
        table.sweep(6_250, false);
        assert_eq!(table.lock().entries.len(), 1, "it moved");
        table.sweep(6_500, false);
        assert_eq!(table.lock().entries.len(), 0);
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(table.counters.report().count(Cause::HeaderTimeout), 1);
    }
}

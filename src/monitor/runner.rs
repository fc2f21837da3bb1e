//! One check, for ever: run, judge, report, wait.

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::schedule;
use crate::check::Context;
use crate::clock::Clock;
use crate::registry::Entry;
use crate::state::{self, Run, State};

/// A check's new state and its place in the snapshot.
pub(super) type Report = (usize, State);

pub(super) struct Runner {
    index: usize,
    entry: Entry,
    clock: Clock,
    state: State,
    reports: mpsc::Sender<Report>,
    refresh_requests: watch::Receiver<Option<Instant>>,
}

impl Runner {
    pub(super) fn new(
        index: usize,
        entry: Entry,
        clock: Clock,
        reports: mpsc::Sender<Report>,
        refresh_requests: watch::Receiver<Option<Instant>>,
    ) -> Self {
        Runner {
            index,
            entry,
            clock,
            state: State::new(),
            reports,
            refresh_requests,
        }
    }

    /// Returns only when nobody takes the results any more.
    pub(super) async fn run(mut self) {
        loop {
            self.state = step(&mut self.entry, self.clock, &self.state).await;
            if self
                .reports
                .send((self.index, self.state.clone()))
                .await
                .is_err()
            {
                return;
            }
            if self.wait().await.is_err() {
                return;
            }
        }
    }

    /// Until the next run is due, or a refresh asks for a newer result and no back-off stands against it.
    async fn wait(&mut self) -> Result<(), watch::error::RecvError> {
        let due = self
            .state
            .next_at
            .map_or_else(|| self.clock.now().mono, |at| at.mono);
        while !self.is_refresh_due() {
            tokio::select! {
                () = sleep_until(due) => return Ok(()),
                changed = self.refresh_requests.changed() => changed?,
            }
        }
        Ok(())
    }

    /// Whether somebody asked after the last run began: what has changed since then it may have missed.
    fn is_refresh_due(&mut self) -> bool {
        let asked = *self.refresh_requests.borrow_and_update();
        let last = self.state.last.as_ref().map(Run::began);
        let now = self.clock.now().mono;
        asked > last
            && self
                .state
                .back_off_until
                .is_none_or(|until| until.mono <= now)
    }
}

/// Runs a check once: the state after that, with when the next run is due and until when its upstream
/// asked us to stay away.
pub async fn step(entry: &mut Entry, clock: Clock, previous: &State) -> State {
    let policy = entry.info.policy;
    let cx = Context {
        clock,
        timeout: policy.timeout,
    };
    let started = clock.now();
    let outcome = entry.run(&cx).await;
    let finished = clock.now();
    let retry_after = outcome.retry_after;
    let run = Run::finished(outcome, started, finished);
    let mut state = state::next(previous, run, &policy);
    let (delay, back_off) = schedule::after(&state, retry_after, &policy, fastrand::f64());
    state.next_at = Some(finished.plus(delay));
    state.back_off_until = back_off.map(|by| finished.plus(by));
    state
}

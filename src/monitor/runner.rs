//! One check, for ever: run, judge, report, wait.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use super::schedule;
use crate::check::{Context, Outcome};
use crate::clock::{Clock, Now};
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
    refresh_requests: watch::Receiver<u64>,
}

impl Runner {
    pub(super) fn new(
        index: usize,
        entry: Entry,
        clock: Clock,
        reports: mpsc::Sender<Report>,
        refresh_requests: watch::Receiver<u64>,
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
            self.run_once().await;
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

    async fn run_once(&mut self) {
        let policy = self.entry.info.policy;
        let cx = Context {
            clock: self.clock,
            timeout: policy.timeout,
        };
        let started = self.clock.now();
        let outcome = self.entry.run(&cx).await;
        let finished = self.clock.now();
        let retry_after = outcome.retry_after;
        self.state = state::next(&self.state, record(outcome, started, finished), &policy);
        let (delay, back_off) = schedule::after(&self.state, retry_after, &policy, fastrand::f64());
        self.state.next_at = Some(finished.plus(delay));
        self.state.back_off_until = back_off.map(|by| finished.plus(by));
    }

    /// Until the next run is due, or a refresh asks for it and no back-off stands against it.
    async fn wait(&mut self) -> Result<(), watch::error::RecvError> {
        // Whoever asked while the run was under way is served by it.
        self.refresh_requests.mark_unchanged();
        let due = self
            .state
            .next_at
            .map_or_else(|| self.clock.now().mono, |at| at.mono);
        loop {
            tokio::select! {
                () = sleep_until(due) => return Ok(()),
                changed = self.refresh_requests.changed() => changed?,
            }
            let now = self.clock.now().mono;
            if self
                .state
                .back_off_until
                .is_none_or(|until| until.mono <= now)
            {
                return Ok(());
            }
        }
    }
}

fn record(outcome: Outcome<serde_json::Value>, started: Now, finished: Now) -> Run {
    Run {
        findings: outcome.findings.into(),
        data: outcome.data.map(Arc::new),
        at: finished,
        latency: finished.mono.saturating_duration_since(started.mono),
    }
}

//! From raw results to a damped state. Pure: the same history gives the same state.
//!
//! A check is never true before its first success. Once true, `failure_threshold` failures in a row turn
//! it false; once false, `success_threshold` passes in a row turn it true. At start one success makes it
//! true and one refuted result makes it false at once. A result of class `Down` has been damped by its
//! own time condition and decides at once. A deferred one (429) changes nothing and lets the last ages.

mod tally;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::check::{Finding, Outcome, Reported, worst};
use crate::clock::Now;
use crate::config::Policy;
use crate::reason::Class;

pub use tally::Tally;

/// The damped verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not decided since the start; counts as false.
    Starting,
    /// True.
    Passing,
    /// False.
    Failing,
}

/// The three-way status: true, true with a warning, false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CheckStatus)]
pub enum Status {
    /// True and nothing to tell.
    Pass,
    /// True with a warning.
    Warn,
    /// False.
    Fail,
}

impl Status {
    /// Each of them.
    pub const ALL: [Status; 3] = [Status::Pass, Status::Warn, Status::Fail];
}

/// One finished run.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it found; empty means pass.
    pub findings: Arc<[Finding]>,
    /// The check's own data.
    pub data: Option<Arc<Reported>>,
    /// When it ended.
    pub at: Now,
    /// How long it took.
    pub latency: Duration,
}

impl Run {
    /// The record of a run that has just ended.
    pub fn finished(outcome: Outcome<Reported>, started: Now, finished: Now) -> Self {
        Run {
            findings: outcome.findings.into(),
            data: outcome.data.map(Arc::new),
            at: finished,
            latency: finished.mono.saturating_duration_since(started.mono),
        }
    }

    /// When it began: what was the case at the upstream before that, it cannot know.
    pub fn began(&self) -> Instant {
        self.at.mono - self.latency
    }

    /// The finding that decides.
    pub fn worst(&self) -> Option<&Finding> {
        worst(&self.findings)
    }

    /// The class of the finding that decides.
    pub fn class(&self) -> Class {
        self.worst().map_or(Class::Ok, Finding::class)
    }
}

/// The last ten judged runs since the check turned true, the newest in the lowest bit, a failure is a set bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recent(u16);

impl Recent {
    const WINDOW: u16 = 0x3ff;

    fn push(self, failed: bool) -> Self {
        Recent(((self.0 << 1) | u16::from(failed)) & Self::WINDOW)
    }

    /// Failures among the last ten judged runs.
    pub fn failures(self) -> u32 {
        self.0.count_ones()
    }
}

/// Everything the answers need to know of one check.
#[derive(Debug, Clone)]
pub struct State {
    /// The damped verdict.
    pub verdict: Verdict,
    /// Since when the verdict is what it is; `None` while starting.
    pub since: Option<Now>,
    /// The last finished run, deferred ones included.
    pub last: Option<Run>,
    /// When the last run ended that says something about the check: what staleness is counted from.
    pub judged_at: Option<Now>,
    /// What the last failed run found.
    pub last_failure: Option<Arc<[Finding]>>,
    /// When the last run ended that passed.
    pub last_success: Option<Now>,
    /// Failures in a row.
    pub failures: u32,
    /// Passes in a row.
    pub successes: u32,
    /// Outcome of the last ten judged runs since the check turned true.
    pub recent: Recent,
    /// All finished runs since the start.
    pub tally: Tally,
    /// When the next run is due.
    pub next_at: Option<Now>,
    /// Until when the upstream asked us to stay away.
    pub back_off_until: Option<Now>,
}

impl State {
    /// Before the first run.
    pub fn new() -> Self {
        State {
            verdict: Verdict::Starting,
            since: None,
            last: None,
            judged_at: None,
            last_failure: None,
            last_success: None,
            failures: 0,
            successes: 0,
            recent: Recent::default(),
            tally: Tally::default(),
            next_at: None,
            back_off_until: None,
        }
    }

    /// Whether a streak against the verdict is running that is shorter than its threshold; then the
    /// check asks again soon.
    pub fn is_undecided(&self) -> bool {
        match self.verdict {
            Verdict::Starting => true,
            Verdict::Passing => self.failures > 0,
            Verdict::Failing => self.successes > 0,
        }
    }

    /// Whether a passing check failed in three or more of its last ten runs.
    pub fn is_intermittent(&self) -> bool {
        self.verdict == Verdict::Passing && self.recent.failures() >= 3
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

/// The state after `run`.
pub fn next(previous: &State, run: Run, policy: &Policy) -> State {
    let mut state = previous.clone();
    let now = run.at;
    match run.class() {
        Class::Deferred if state.verdict != Verdict::Starting => {}
        Class::Ok | Class::Warn => pass(&mut state, now, policy),
        class => fail(&mut state, &run, class, policy),
    }
    if state.verdict != previous.verdict {
        state.since = Some(now);
    }
    state.tally.count(&run);
    state.last = Some(run);
    state
}

fn pass(state: &mut State, now: Now, policy: &Policy) {
    state.judged_at = Some(now);
    state.last_success = Some(now);
    state.failures = 0;
    state.successes = state.successes.saturating_add(1);
    state.recent = state.recent.push(false);
    let enough = match state.verdict {
        Verdict::Starting => true,
        Verdict::Passing => false,
        Verdict::Failing => state.successes >= policy.success_threshold,
    };
    if enough {
        state.verdict = Verdict::Passing;
        // The failures that made it false were an outage, told as such, and nothing intermittent.
        state.recent = Recent::default();
    }
}

fn fail(state: &mut State, run: &Run, class: Class, policy: &Policy) {
    state.judged_at = Some(run.at);
    state.last_failure = Some(run.findings.clone());
    state.successes = 0;
    state.failures = state.failures.saturating_add(1);
    state.recent = state.recent.push(true);
    let decides = state.failures >= policy.failure_threshold
        || class == Class::Down
        || (class == Class::Refuted && state.verdict == Verdict::Starting);
    if decides {
        state.verdict = Verdict::Failing;
    }
}

#[cfg(test)]
mod tests;

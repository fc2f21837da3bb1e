//! One immutable picture of all checks, and what it says at a given moment. Pure.

mod check_set;

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::check::Finding;
use crate::clock::Now;
use crate::history::{History, Transition};
use crate::reason::{Class, INTERMITTENT, MONITOR_STALLED, STALE, STARTING};
use crate::registry::Info;
use crate::state::{State, Verdict};

pub use self::check_set::CheckSet;
pub use crate::state::Status;

/// The states of all checks at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// In registration order.
    pub checks: Vec<Checked>,
}

/// One check in a snapshot.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What is known of it.
    pub info: Info,
    /// Its state.
    pub state: Arc<State>,
    /// Its changes of status so far.
    pub history: Arc<History>,
}

/// The moment at which a snapshot is read.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Now.
    pub now: Instant,
    /// Whether the monitor's heartbeat is too old.
    pub stalled: bool,
}

/// What a check is at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// The damped status; the boolean is `status != Fail`.
    pub status: Status,
    /// The raw result of the last finished run; `None` before the first.
    pub last_result: Option<Status>,
    /// Everything worth telling, the deciding one first; empty for a plain pass.
    pub findings: Vec<Finding>,
}

impl View {
    /// The boolean in `checks`.
    pub fn ok(&self) -> bool {
        self.status != Status::Fail
    }

    /// The finding that decides; `ok` for a plain pass.
    pub fn deciding(&self) -> Finding {
        self.findings.first().cloned().unwrap_or_default()
    }
}

impl Checked {
    /// Before its first run.
    pub fn starting(info: Info) -> Self {
        Checked {
            info,
            state: Arc::default(),
            history: Arc::default(),
        }
    }

    /// Takes down a change of status, if there is one at `now`; the first finished run is one. Returns
    /// whether there was.
    pub fn notice(&mut self, now: Now) -> bool {
        let view = self.view(Moment {
            now: now.mono,
            stalled: false,
        });
        if self.is_starting() || self.history.status() == Some(view.status) {
            return false;
        }
        Arc::make_mut(&mut self.history).push(Transition {
            at: now,
            to: view.status,
            reason: view.deciding().reason,
        });
        true
    }

    /// From when on the last judged result is too old.
    pub fn stale_at(&self) -> Option<Instant> {
        self.state
            .judged_at
            .map(|at| at.mono + self.info.policy.stale_after())
    }

    /// Whether no run has finished yet: an answer waits for it, for a while.
    pub fn is_starting(&self) -> bool {
        self.state.last.is_none()
    }

    /// The boolean in `checks`.
    pub fn ok(&self, at: Moment) -> bool {
        self.state.verdict == Verdict::Passing
            && self.stale_at().is_some_and(|stale_at| at.now < stale_at)
            && !(at.stalled && self.info.about_this_process)
    }

    /// What it is at one moment, and why.
    pub fn view(&self, at: Moment) -> View {
        let state = &*self.state;
        let mut findings = Vec::new();
        if at.stalled && self.info.about_this_process {
            findings.push(Finding::new(&MONITOR_STALLED));
        }
        if self.stale_at().is_some_and(|stale_at| at.now >= stale_at) {
            findings.push(Finding::new(&STALE));
        }
        findings.extend(self.explanation());
        let ok = self.ok(at);
        if ok && state.is_intermittent() {
            findings.push(Finding::new(&INTERMITTENT));
        }
        let warned = findings
            .iter()
            .any(|f| matches!(f.class(), Class::Warn | Class::Deferred));
        let status = match (ok, warned) {
            (false, _) => Status::Fail,
            (true, true) => Status::Warn,
            (true, false) => Status::Pass,
        };
        View {
            status,
            last_result: state.last.as_ref().map(|run| raw_status(run.class())),
            findings,
        }
    }

    /// Why the state is what it is: the last run's findings; and while a false check passes again but not
    /// often enough, what it failed of.
    fn explanation(&self) -> Vec<Finding> {
        let state = &*self.state;
        let Some(run) = &state.last else {
            return vec![Finding::new(&STARTING)];
        };
        let mut findings = run.findings.to_vec();
        let recovering = state.verdict == Verdict::Failing && !run.class().is_failure();
        if let (true, Some(failure)) = (recovering, &state.last_failure) {
            findings.extend(failure.iter().filter(|f| f.class().is_failure()).cloned());
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.class()));
        findings
    }
}

fn raw_status(class: Class) -> Status {
    match class {
        Class::Ok => Status::Pass,
        Class::Warn | Class::Deferred => Status::Warn,
        Class::Transient | Class::Refuted | Class::Down => Status::Fail,
    }
}

/// The fold of all checks: what `/health` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Every counted check is true.
    pub healthy: bool,
    /// The booleans, in registration order.
    pub checks: Vec<(&'static str, bool)>,
    /// The names that do not count.
    pub excluded: Vec<&'static str>,
    /// The oldest result that the answer rests on; `None` until every counted check has one.
    pub checked_at: Option<OffsetDateTime>,
}

impl Snapshot {
    /// Before any run.
    pub fn starting(infos: &[Info]) -> Self {
        Snapshot {
            checks: infos.iter().copied().map(Checked::starting).collect(),
        }
    }

    /// Folds the checks that are not `excluded`.
    pub fn fold(&self, excluded: CheckSet, at: Moment) -> Fold {
        let checks: Vec<_> = self
            .checks
            .iter()
            .map(|check| (check.info.name, check.ok(at)))
            .collect();
        let counted = || self.counted(excluded);
        let healthy = counted().all(|index| checks[index].1);
        let results: Option<Vec<_>> = counted()
            .map(|index| self.checks[index].state.judged_at.map(|at| at.wall))
            .collect();
        let excluded = (0..checks.len())
            .filter(|&i| excluded.contains(i))
            .map(|i| checks[i].0)
            .collect();
        let checked_at = results.and_then(|results| results.into_iter().min());
        Fold {
            healthy,
            checks,
            excluded,
            checked_at,
        }
    }

    /// Whether a counted check has not finished its first run.
    pub fn is_starting(&self, excluded: CheckSet) -> bool {
        self.counted(excluded)
            .any(|index| self.checks[index].is_starting())
    }

    /// The earliest moment at which a result turns stale, so that rendered answers stop being true;
    /// `None` while there is no result that could.
    pub fn good_until(&self) -> Option<Instant> {
        self.checks.iter().filter_map(Checked::stale_at).min()
    }

    fn counted(&self, excluded: CheckSet) -> impl Iterator<Item = usize> {
        (0..self.checks.len()).filter(move |&index| !excluded.contains(index))
    }
}

#[cfg(test)]
mod tests;

//! From a snapshot to samples. Pure: whatever turns stale without an event shows at the next scrape.

use std::time::Duration;

use super::families::{
    CHECK_AGE, CHECK_COUNTED, CHECK_DURATION, CHECK_LAST_RESULT, CHECK_LAST_SUCCESS, CHECK_REASON,
    CHECK_RUNS, CHECK_STALE, CHECK_STATE, CHECK_TRANSITIONS, MONITOR_HEARTBEAT_AGE, READY, STATUS,
};
use crate::sample::{Family, LabelValue, Sample};
use crate::snapshot::{CheckSet, Checked, Moment, Snapshot, Status};

const STATES: [(Status, &str); 3] = [
    (Status::Pass, "pass"),
    (Status::Warn, "warn"),
    (Status::Fail, "fail"),
];

/// All that can be said of the checks at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The states of all checks.
    pub snapshot: &'a Snapshot,
    /// Those that do not count for `/health`.
    pub excluded: CheckSet,
    /// Now.
    pub at: Moment,
    /// Since the monitor's last sign of life.
    pub heartbeat_age: Duration,
    /// What `/readyz` says.
    pub ready: bool,
}

impl Standing<'_> {
    /// Adds the samples of all checks and of their fold.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        let fold = self.snapshot.fold(self.excluded, self.at);
        out.push(STATUS.sample([], fold.healthy));
        out.push(READY.sample([], self.ready));
        out.push(MONITOR_HEARTBEAT_AGE.sample([], self.heartbeat_age));
        for (index, check) in self.snapshot.checks.iter().enumerate() {
            let name = check.info.name.into();
            out.push(CHECK_COUNTED.sample([name], !self.excluded.contains(index)));
            state(check, self.at, out);
            last_run(check, self.at, out);
            runs(check, out);
            transitions(check, out);
        }
    }
}

fn state(check: &Checked, at: Moment, out: &mut Vec<Sample>) {
    let name = check.info.name;
    let view = check.view(at);
    one_of(&CHECK_STATE, name, Some(view.status), out);
    one_of(&CHECK_LAST_RESULT, name, view.last_result, out);
    let reason = view.deciding().reason.code;
    out.push(CHECK_REASON.sample([name.into(), reason.into()], true));
    out.push(CHECK_STALE.sample([name.into()], is_stale(check, at)));
}

fn last_run(check: &Checked, at: Moment, out: &mut Vec<Sample>) {
    let name = check.info.name;
    if let Some(success) = check.state.last_success {
        let since_epoch = success.wall - time::OffsetDateTime::UNIX_EPOCH;
        let timestamp = since_epoch.as_seconds_f64();
        out.push(CHECK_LAST_SUCCESS.sample([name.into()], timestamp));
    }
    let Some(run) = &check.state.last else { return };
    let age = at.now.saturating_duration_since(run.at.mono);
    out.push(CHECK_AGE.sample([name.into()], age));
    // What is too old to rest on is not shown as if it held.
    if let Some(reported) = run.data.as_ref().filter(|_| !is_stale(check, at)) {
        let declared = |sample: &&Sample| check.info.families.contains(&sample.family);
        out.extend(reported.samples.iter().filter(declared).cloned());
    }
}

/// From the start every reason has its series: one that began with its first event would hide it from
/// `increase()`.
fn runs(check: &Checked, out: &mut Vec<Sample>) {
    let (name, tally) = (check.info.name, &check.state.tally);
    let mut codes: Vec<_> = check.info.all_reasons().map(|reason| reason.code).collect();
    codes.extend(
        tally
            .codes()
            .filter(|code| !codes.contains(code))
            .collect::<Vec<_>>(),
    );
    let sample = |code| CHECK_RUNS.sample([name.into(), LabelValue::from(code)], tally.runs(code));
    out.extend(codes.into_iter().map(sample));
    out.push(CHECK_DURATION.sample([name.into()], tally.durations().clone()));
}

fn transitions(check: &Checked, out: &mut Vec<Sample>) {
    for (status, to) in STATES {
        let labels = [check.info.name.into(), to.into()];
        out.push(CHECK_TRANSITIONS.sample(labels, check.history.count(status)));
    }
}

fn is_stale(check: &Checked, at: Moment) -> bool {
    check.stale_at().is_some_and(|stale_at| at.now >= stale_at)
}

fn one_of(
    family: &'static Family,
    check: &'static str,
    holds: Option<Status>,
    out: &mut Vec<Sample>,
) {
    for (status, state) in STATES {
        out.push(family.sample([check.into(), state.into()], holds == Some(status)));
    }
}

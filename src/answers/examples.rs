//! Answers for documents, rendered by the same functions as all others from a state that is made up.

#[cfg(feature = "jobs")]
pub mod jobs;

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::datetime;
use tokio::time::Instant;

use super::health::{Options, check, health};
use super::{Answer, schemas};
use crate::check::{Finding, Outcome, Reported};
use crate::clock::Now;
use crate::reason::{Class, Reason, TIMEOUT};
use crate::registry::Info;
use crate::snapshot::{CheckSet, Checked, Moment, Snapshot};
use crate::state::{Run, State, next};

const BEGAN: OffsetDateTime = datetime!(2026-11-23 18:06:59.123 UTC);
const LATENCY: Duration = Duration::from_micros(48_213);

/// A state of all checks.
#[derive(Debug)]
pub struct Example {
    /// All checks.
    pub snapshot: Snapshot,
    /// When it is read.
    pub at: Moment,
}

impl Example {
    /// Every check passes.
    pub fn healthy(infos: &[Info]) -> Self {
        Self::of(infos, None)
    }

    /// The last check fails.
    pub fn degraded(infos: &[Info]) -> Self {
        Self::of(infos, infos.len().checked_sub(1))
    }

    fn of(infos: &[Info], failing: Option<usize>) -> Self {
        let began = Now {
            mono: Instant::now(),
            wall: BEGAN,
        };
        let now = began.plus(LATENCY);
        let checks = infos.iter().enumerate().map(|(index, &info)| {
            let findings = (failing == Some(index)).then(|| Finding::new(failure(&info)));
            let mut checked = Checked::starting(info);
            checked.state = state(&info, findings, began).into();
            checked.notice(now);
            checked
        });
        Example {
            snapshot: Snapshot {
                checks: checks.collect(),
            },
            at: Moment {
                now: now.mono,
                stalled: false,
            },
        }
    }

    /// `/health`.
    pub fn health(&self, options: &Options) -> Answer {
        health(&self.snapshot, options, self.at)
    }

    /// `/health` without the last check.
    pub fn health_without_last(&self, options: &Options) -> Answer {
        let last = self.snapshot.checks.len().checked_sub(1);
        self.health(&Options {
            excluded: last.map_or(CheckSet::EMPTY, |last| CheckSet::EMPTY.with(last)),
            ..options.clone()
        })
    }

    /// `/health/{check}` of the last check; `None` when there is no check at all.
    pub fn last_check(&self, options: &Options) -> Option<Answer> {
        let last = self.snapshot.checks.len().checked_sub(1)?;
        Some(check(&self.snapshot, last, options, self.at))
    }
}

/// One that decides at once: of the check's own, if it has such a one.
fn failure(info: &Info) -> &'static Reason {
    let mut own = info.reasons.iter();
    own.find(|reason| reason.class == Class::Refuted)
        .copied()
        .unwrap_or(&TIMEOUT)
}

fn state(info: &Info, finding: Option<Finding>, began: Now) -> State {
    let outcome = Outcome {
        findings: finding.into_iter().collect(),
        data: schemas::example(info).map(|json| Reported {
            json,
            samples: Vec::new(),
        }),
        retry_after: None,
    };
    let now = began.plus(LATENCY);
    let mut state = next(
        &State::new(),
        Run::finished(outcome, began, now),
        &info.policy,
    );
    state.next_at = Some(now.plus(info.policy.interval));
    state
}

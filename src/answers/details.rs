//! `details`: what is wrong and what to do, one entry a check.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::check::Finding;
use crate::clock::{Now, rfc3339};
use crate::history::Transition;
use crate::snapshot::{Checked, Moment, Status};
use crate::state::Verdict;

/// One check, for holders of a key.
#[derive(Debug, Serialize)]
pub(super) struct Detail<'a> {
    status: Status,
    last_result: Option<Status>,
    reason: &'static str,
    message: String,
    remedy: &'static str,
    doc: String,
    findings: Vec<Told>,
    checked_at: Option<String>,
    stale_at: Option<String>,
    next_check_at: Option<String>,
    latency_ms: Option<f64>,
    since: Option<String>,
    last_success_at: Option<String>,
    consecutive_failures: u32,
    decided: bool,
    transitions: Vec<Change>,
    data: Option<&'a Value>,
}

/// One change of `status`.
#[derive(Debug, Serialize)]
struct Change {
    to: Status,
    reason: &'static str,
    at: String,
}

impl From<&Transition> for Change {
    fn from(transition: &Transition) -> Self {
        Change {
            to: transition.to,
            reason: transition.reason.code,
            at: rfc3339(transition.at.wall),
        }
    }
}

/// One finding: several can hold at once, the first decides.
#[derive(Debug, Serialize)]
struct Told {
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    message: String,
    remedy: &'static str,
}

impl From<&Finding> for Told {
    fn from(finding: &Finding) -> Self {
        Told {
            reason: finding.reason.code,
            subject: finding.subject.as_ref().map(ToString::to_string),
            message: finding.message(),
            remedy: finding.reason.remedy,
        }
    }
}

pub(super) fn detail(check: &Checked, at: Moment) -> Detail<'_> {
    let view = check.view(at);
    let state = &*check.state;
    let deciding = view.deciding();
    let reported = state.last.as_ref().and_then(|run| run.data.as_deref());
    let stale_at = state
        .judged_at
        .map(|at| at.wall + check.info.policy.stale_after());
    Detail {
        status: view.status,
        last_result: view.last_result,
        reason: deciding.reason.code,
        message: deciding.message(),
        remedy: deciding.reason.remedy,
        doc: deciding.reason.doc(),
        findings: view.findings.iter().map(Told::from).collect(),
        checked_at: moment(state.judged_at),
        stale_at: stale_at.map(rfc3339),
        next_check_at: moment(state.next_at),
        latency_ms: state.last.as_ref().map(|run| millis(run.latency)),
        since: moment(state.since),
        last_success_at: moment(state.last_success),
        consecutive_failures: state.failures,
        decided: state.verdict != Verdict::Starting && !state.is_undecided(),
        transitions: check.history.recent().map(Change::from).collect(),
        data: reported.map(|reported| &reported.json),
    }
}

fn moment(at: Option<Now>) -> Option<String> {
    at.map(|at| at.wall)
        .map(|wall: OffsetDateTime| rfc3339(wall))
}

/// Milliseconds with three decimals.
fn millis(latency: std::time::Duration) -> f64 {
    (latency.as_secs_f64() * 1e6).round() / 1e3
}

//! `details`: what is wrong and what to do, one entry a check.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::schemas;
use crate::check::Finding;
use crate::clock::{Now, rfc3339};
use crate::history::Transition;
use crate::snapshot::{Checked, Moment, Status};
use crate::state::Verdict;

/// One check, for holders of a key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckDetail)]
pub(super) struct Detail<'a> {
    /// Damped: one failure does not flip it. `warn` is true still.
    pub(super) status: Status,
    /// The same for the last run alone, not damped; `null` before the first.
    #[schema(required)]
    last_result: Option<Status>,
    /// The code of the reason that decides; `ok` when there is nothing to tell.
    #[schema(schema_with = schemas::reason)]
    pub(super) reason: &'static str,
    /// One sentence: what is the case.
    pub(super) message: String,
    /// What to do; empty when there is nothing.
    pub(super) remedy: &'static str,
    /// The section of the runbook.
    pub(super) doc: String,
    /// Everything that holds, the deciding one first.
    findings: Vec<Told>,
    /// When the last judged run ended.
    #[schema(required, format = DateTime)]
    checked_at: Option<String>,
    /// When that result gets too old; then the check is false.
    #[schema(required, format = DateTime)]
    stale_at: Option<String>,
    /// When the next run is due.
    #[schema(required, format = DateTime)]
    next_check_at: Option<String>,
    /// How long the last run took, in milliseconds.
    #[schema(required, minimum = 0)]
    pub(super) latency_ms: Option<f64>,
    /// Since when the boolean is what it is.
    #[schema(required, format = DateTime)]
    since: Option<String>,
    /// When the last run that passed ended.
    #[schema(required, format = DateTime)]
    last_success_at: Option<String>,
    /// Failures in a row.
    #[schema(minimum = 0)]
    consecutive_failures: u32,
    /// False while a streak is too short to count.
    decided: bool,
    /// The last changes of `status`, the newest first.
    transitions: Vec<Change>,
    /// The check's own; `null` when the last run brought none.
    #[schema(required, value_type = Value)]
    data: Option<&'a Value>,
}

/// One change of `status`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatusChange)]
struct Change {
    /// What it has been since.
    to: Status,
    /// The code of the reason that decided.
    #[schema(schema_with = schemas::reason)]
    reason: &'static str,
    /// When.
    #[schema(format = DateTime)]
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Finding)]
struct Told {
    /// Its code.
    #[schema(schema_with = schemas::reason)]
    reason: &'static str,
    /// Which of several parties it is about: the configured name of a RunPod endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    subject: Option<String>,
    /// One sentence: what is the case.
    message: String,
    /// What to do.
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

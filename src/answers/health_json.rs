//! `/health` and `/health/{check}` in the form of draft-inadarei-api-health-check-06.
//!
//! The same data under the same rules of disclosure: without details a check tells its status and the time
//! of its result. What a check says of itself is a response time, the draft's own word for a measurement.

use serde::Serialize;
use utoipa::ToSchema;

use super::details::detail;
use super::health::{Options, Verdict, to_text};
use super::in_order::InOrder;
use super::{CONTRACT_VERSION, schemas};
use crate::clock::rfc3339;
use crate::snapshot::{Checked, Fold, Moment, Status};

/// The measurement that every check has.
const MEASUREMENT: &str = "responseTime";

/// The key of a check in `checks`.
pub(super) fn key(check: &str) -> String {
    format!("{check}:{MEASUREMENT}")
}

pub(super) fn render(
    shown: &[&Checked],
    fold: &Fold,
    verdict: &Verdict,
    options: &Options,
    at: Moment,
) -> String {
    let body = HealthJson {
        status: match (fold.healthy, verdict.status.is_success()) {
            (true, _) => Status::Pass,
            // The draft: a warning is 2xx, a failure is not.
            (false, true) => Status::Warn,
            (false, false) => Status::Fail,
        },
        version: options.version.then_some(CONTRACT_VERSION),
        release_id: options.version.then_some(env!("CARGO_PKG_VERSION")),
        output: verdict.trouble.as_deref(),
        checks: InOrder(
            shown
                .iter()
                .map(|check| {
                    let component = component(check, fold, options, at);
                    (key(check.info.name), [component])
                })
                .collect(),
        ),
    };
    to_text(&body, r#"{"status":"fail"}"#)
}

fn component(check: &Checked, fold: &Fold, options: &Options, at: Moment) -> Component {
    let name = check.info.name;
    let plain = Component {
        id: name,
        kind: if check.info.about_this_process {
            Type::Component
        } else {
            Type::System
        },
        status: check.view(at).status,
        time: check.state.judged_at.map(|at| rfc3339(at.wall)),
        excluded: fold.excluded.contains(&name).then_some(true),
        observed_value: None,
        observed_unit: None,
        output: None,
        reason: None,
        remedy: None,
        doc: None,
    };
    if !options.details {
        return plain;
    }
    let detail = detail(check, at);
    let told = (plain.status != Status::Pass).then_some(detail.remedy);
    Component {
        observed_value: detail.latency_ms,
        observed_unit: detail.latency_ms.map(|_| Unit::Milliseconds),
        output: told.map(|_| detail.message),
        reason: Some(detail.reason),
        remedy: told,
        doc: told.map(|_| detail.doc),
        ..plain
    }
}

/// The folded state of the checks, in the form of draft-inadarei-api-health-check-06.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HealthJson<'a> {
    /// `pass` when every counted check is true; else `warn` where the HTTP status is 200, and `fail` where
    /// it is 503.
    status: Status,
    /// The version of this contract; for holders of a key who ask for details.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    version: Option<&'static str>,
    /// The version of this build; for holders of a key who ask for details.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    release_id: Option<&'static str>,
    /// One sentence: which checks fail. Absent on `pass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    output: Option<&'a str>,
    /// One array of one entry a check.
    #[schema(schema_with = schemas::measurements)]
    checks: InOrder<String, [Component; 1]>,
}

/// One check.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HealthJsonComponent)]
pub(super) struct Component {
    /// Its name.
    #[serde(rename = "componentId")]
    #[schema(schema_with = schemas::name)]
    id: &'static str,
    /// `component` for what is part of this service, `system` for an upstream.
    #[serde(rename = "componentType")]
    kind: Type,
    /// Damped: one failure does not flip it. `fail` is what the plain form calls false.
    status: Status,
    /// When the result is from; absent until there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    time: Option<String>,
    /// An addition to the draft: it is shown and does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    excluded: Option<bool>,
    /// How long its last run took; with details only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0)]
    observed_value: Option<f64>,
    /// With `observedValue`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    observed_unit: Option<Unit>,
    /// One sentence: what is the case; with details only, absent on `pass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    output: Option<String>,
    /// An addition to the draft: the code of the reason that decides; with details only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schemas::reason)]
    reason: Option<&'static str>,
    /// An addition to the draft: what to do; with details only, absent on `pass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    remedy: Option<&'static str>,
    /// An addition to the draft: the section of the runbook; with details only, absent on `pass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    doc: Option<String>,
}

/// Of the draft's words those that fit.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = HealthJsonComponentType)]
enum Type {
    Component,
    System,
}

/// Milliseconds.
#[derive(Serialize, ToSchema)]
#[schema(as = HealthJsonUnit)]
enum Unit {
    #[serde(rename = "ms")]
    Milliseconds,
}

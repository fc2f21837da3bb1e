//! `/health` and `/health/{check}`.

use http::StatusCode;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::details::{Detail, detail};
use super::in_order::InOrder;
use super::{Answer, Body, Media, error_body, health_json, schemas};
use crate::clock::rfc3339;
use crate::snapshot::{CheckSet, Checked, Fold, Moment, Snapshot};

/// The form of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// What everybody gets who asks for nothing else.
    #[default]
    Json,
    /// That of draft-inadarei-api-health-check-06.
    HealthJson,
}

/// What a request asks of `/health` beyond the fold.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The form.
    pub form: Form,
    /// Checks that are shown and do not count.
    pub excluded: CheckSet,
    /// Answer degraded with 503.
    pub degraded_is_503: bool,
    /// Add `details`.
    pub details: bool,
    /// Add this service's version: for key holders.
    pub version: bool,
    /// After a refresh: the checks whose results are fresh.
    pub fresh: Option<Vec<&'static str>>,
}

/// A snapshot and the answers rendered from it.
#[derive(Debug)]
pub struct Published {
    /// What was rendered.
    pub snapshot: Snapshot,
    /// `/health` under the configured policy.
    pub health: Answer,
    /// `/health/{check}` for each check in registration order.
    pub checks: Vec<Answer>,
    /// A counted check has not finished its first run.
    pub starting: bool,
    /// The rendered answers hold before this moment; `None`: until the next publication.
    pub good_until: Option<Instant>,
}

impl Published {
    /// Whether the rendered answers hold at `at`.
    pub fn is_good(&self, at: Moment) -> bool {
        !at.stalled && self.good_until.is_none_or(|until| at.now < until)
    }
}

/// Renders everything that most requests ask for.
pub fn publish(snapshot: Snapshot, options: &Options, at: Moment) -> Published {
    Published {
        health: health(&snapshot, options, at),
        checks: (0..snapshot.checks.len())
            .map(|index| check(&snapshot, index, options, at))
            .collect(),
        starting: snapshot.is_starting(options.excluded),
        good_until: snapshot.good_until(),
        snapshot,
    }
}

/// The answer of `/health`.
pub fn health(snapshot: &Snapshot, options: &Options, at: Moment) -> Answer {
    let fold = snapshot.fold(options.excluded, at);
    let failing = || {
        let counted = |&&(name, ok): &&(&str, bool)| !ok && !fold.excluded.contains(&name);
        let names: Vec<_> = fold.checks.iter().filter(counted).map(|c| c.0).collect();
        format!("degraded: {} failing{}", names.join(", "), hint(options))
    };
    let verdict = Verdict {
        status: if fold.healthy || !options.degraded_is_503 {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        },
        code: "degraded",
        trouble: (!fold.healthy).then(failing),
    };
    answer(snapshot, &fold, &verdict, options, at)
}

/// The answer of `/health/{check}` for the check at `index`, 503 when it is false.
pub fn check(snapshot: &Snapshot, index: usize, options: &Options, at: Moment) -> Answer {
    let others = (0..snapshot.checks.len()).filter(|&other| other != index);
    let excluded = others.fold(CheckSet::EMPTY, CheckSet::with);
    let mut fold = snapshot.fold(excluded, at);
    fold.checks = vec![fold.checks[index]];
    fold.excluded.clear();
    let failing = || format!("{} is failing{}", fold.checks[0].0, hint(options));
    let verdict = Verdict {
        status: if fold.healthy {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        },
        code: "check_failed",
        trouble: (!fold.healthy).then(failing),
    };
    answer(snapshot, &fold, &verdict, options, at)
}

/// How to see why, unless the answer says it itself.
fn hint(options: &Options) -> &'static str {
    match (options.details, options.form) {
        (true, Form::Json) => "; details says why and what to do",
        (true, Form::HealthJson) => "; checks says why and what to do",
        (false, _) => {
            "; ask with ?verbose and an X-Api-Key, or run infra-health doctor, to see why"
        }
    }
}

/// What the fold means for one request.
pub(super) struct Verdict {
    pub(super) status: StatusCode,
    /// Of the error, should it be one.
    pub(super) code: &'static str,
    /// What is the case unless all is well.
    pub(super) trouble: Option<String>,
}

fn answer(
    snapshot: &Snapshot,
    fold: &Fold,
    verdict: &Verdict,
    options: &Options,
    at: Moment,
) -> Answer {
    let shown = |check: &&Checked| fold.checks.iter().any(|(name, _)| *name == check.info.name);
    let shown: Vec<_> = snapshot.checks.iter().filter(shown).collect();
    let (media, text) = match options.form {
        Form::Json => (Media::Json, render(&shown, fold, options, at)),
        Form::HealthJson => (
            Media::HealthJson,
            health_json::render(&shown, fold, verdict, options, at),
        ),
    };
    let body = match &verdict.trouble {
        Some(message) if !verdict.status.is_success() => {
            error_body(verdict.code, message, Some(&text))
        }
        _ => Body::Whole(text.into()),
    };
    Answer {
        status: verdict.status,
        media,
        body,
    }
}

fn render(shown: &[&Checked], fold: &Fold, options: &Options, at: Moment) -> String {
    let body = HealthBody {
        status: Word::of(fold.healthy),
        checks: InOrder(fold.checks.clone()),
        checked_at: fold.checked_at.map(rfc3339),
        excluded: &fold.excluded,
        version: options.version.then_some(env!("CARGO_PKG_VERSION")),
        fresh: options.fresh.as_deref(),
        details: options.details.then(|| {
            let shown = shown.iter().copied();
            InOrder(
                shown
                    .map(|check| (check.info.name, detail(check, at)))
                    .collect(),
            )
        }),
    };
    to_text(
        &body,
        r#"{"status":"degraded","checks":{},"checked_at":null}"#,
    )
}

/// Strings, numbers, booleans and string keys always serialise; should that ever change, the log says so
/// and the monitor does not panic.
pub(super) fn to_text(body: &impl Serialize, otherwise: &str) -> String {
    serde_json::to_string(body).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer could not be rendered");
        otherwise.to_owned()
    })
}

/// The word for the fold; there is no third.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = HealthStatus)]
enum Word {
    /// Every counted check is true.
    Healthy,
    /// At least one is not.
    Degraded,
}

impl Word {
    fn of(healthy: bool) -> Self {
        if healthy {
            Word::Healthy
        } else {
            Word::Degraded
        }
    }
}

/// The folded state of the checks.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(super) struct HealthBody<'a> {
    /// `healthy` when every counted check is true, else `degraded`; there is no third word.
    status: Word,
    /// One boolean a check. Members are only ever added.
    #[schema(schema_with = schemas::booleans)]
    checks: InOrder<&'static str, bool>,
    /// The oldest result that the answer rests on; `null` until every counted check has one.
    #[schema(required, format = DateTime)]
    checked_at: Option<String>,
    /// Checks that are shown and do not count; absent when all count.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(schema_with = schemas::excluded)]
    excluded: &'a [&'static str],
    /// The version of this build; for holders of a key who ask for details.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    version: Option<&'static str>,
    /// After a refresh: the checks whose results are of it, or of one under way that it joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schemas::fresh)]
    fresh: Option<&'a [&'static str]>,
    /// One entry a check: what is wrong and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schemas::details)]
    details: Option<InOrder<&'static str, Detail<'a>>>,
}

//! `/health` and `/health/{check}`.

use http::StatusCode;
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::details::{Detail, detail};
use super::{Answer, Body, error_body};
use crate::clock::rfc3339;
use crate::snapshot::{CheckSet, Checked, Fold, Moment, Snapshot};

/// What a request asks of `/health` beyond the fold.
#[derive(Debug, Clone, Default)]
pub struct Options {
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
    let text = render(snapshot, &fold, options, at);
    if fold.healthy || !options.degraded_is_503 {
        return Answer::json(StatusCode::OK, Body::Whole(text.into()));
    }
    let failing: Vec<_> = fold
        .checks
        .iter()
        .filter(|(name, ok)| !ok && !fold.excluded.contains(name))
        .map(|&(name, _)| name)
        .collect();
    let message = format!("degraded: {} failing{}", failing.join(", "), hint(options));
    error(&text, "degraded", &message)
}

/// The answer of `/health/{check}` for the check at `index`, 503 when it is false.
pub fn check(snapshot: &Snapshot, index: usize, options: &Options, at: Moment) -> Answer {
    let others = (0..snapshot.checks.len()).filter(|&other| other != index);
    let excluded = others.fold(CheckSet::EMPTY, CheckSet::with);
    let mut fold = snapshot.fold(excluded, at);
    fold.checks = vec![fold.checks[index]];
    fold.excluded.clear();
    let text = render(snapshot, &fold, options, at);
    if fold.healthy {
        return Answer::json(StatusCode::OK, Body::Whole(text.into()));
    }
    error(
        &text,
        "check_failed",
        &format!("{} is failing{}", fold.checks[0].0, hint(options)),
    )
}

/// How to see why, unless the answer says it itself.
fn hint(options: &Options) -> &'static str {
    if options.details {
        "; details says why and what to do"
    } else {
        "; ask with ?verbose and an X-Api-Key, or run infra-health doctor, to see why"
    }
}

fn error(text: &str, code: &str, message: &str) -> Answer {
    Answer::json(
        StatusCode::SERVICE_UNAVAILABLE,
        error_body(code, message, Some(text)),
    )
}

fn render(snapshot: &Snapshot, fold: &Fold, options: &Options, at: Moment) -> String {
    let shown = |check: &&Checked| fold.checks.iter().any(|(name, _)| *name == check.info.name);
    let body = HealthBody {
        status: if fold.healthy { "healthy" } else { "degraded" },
        checks: InOrder(fold.checks.clone()),
        checked_at: fold.checked_at.map(rfc3339),
        excluded: &fold.excluded,
        version: options.version.then_some(env!("CARGO_PKG_VERSION")),
        fresh: options.fresh.as_deref(),
        details: options.details.then(|| {
            let shown = snapshot.checks.iter().filter(shown);
            InOrder(
                shown
                    .map(|check| (check.info.name, detail(check, at)))
                    .collect(),
            )
        }),
    };
    serde_json::to_string(&body).unwrap_or_else(|error| {
        // Strings, numbers, booleans and string keys always serialise; should that ever change, say so
        // rather than panic in the monitor.
        tracing::error!(%error, "an answer could not be rendered");
        r#"{"status":"degraded","checks":{},"checked_at":null}"#.to_owned()
    })
}

#[derive(Serialize)]
struct HealthBody<'a> {
    status: &'static str,
    checks: InOrder<bool>,
    checked_at: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    excluded: &'a [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fresh: Option<&'a [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<InOrder<Detail<'a>>>,
}

/// A JSON object whose members stand in registration order.
struct InOrder<T>(Vec<(&'static str, T)>);

impl<T: Serialize> Serialize for InOrder<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

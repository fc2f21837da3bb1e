//! From the jobs of a window to the states of the signals. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;

use super::board::{Reading, State};
use super::window::{Ended, Slice};
use crate::config::Signals;
use crate::detail::Label;
use crate::jobs::names::{self, MOST};
use crate::jobs::store::Kept;

/// The signal of the failure rate.
pub const FAILURE_RATE: &str = "job_failure_rate";
/// The signal of the processing latency.
pub const LATENCY: &str = "processing_latency_p95";

/// Milliseconds that replicas' clocks may be apart. What was kept by a clock farther ahead says nothing.
const AHEAD: i64 = 60_000;

/// What one evaluation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Of the failure rate.
    pub failure_rate: Reading,
    /// Of the p95 of each model, by name.
    pub models: Vec<(Label, Reading)>,
    /// What the next evaluation must know of this one.
    pub kept: Vec<Kept>,
}

/// Judges the jobs of the last window at `now`, milliseconds since 1970, after what was kept of the evaluation before.
pub fn judge(slices: &[Slice], before: &[Kept], settings: &Signals, now: i64) -> Judged {
    let before: BTreeMap<&str, &Kept> = before
        .iter()
        .map(|kept| (kept.name.as_str(), kept))
        .collect();
    let mut kept = Vec::new();
    let mut judge = |name: String, measured: Measured, hold: Duration| {
        let next = next(
            name,
            &measured,
            before.get(measured.key.as_str()).copied(),
            settings,
            hold,
            now,
        );
        let reading = Reading {
            state: next.state,
            value: measured.value,
            threshold: measured.threshold,
            samples: measured.samples,
            since: at(next.since),
        };
        kept.push(next);
        reading
    };
    let failures = failures(slices, settings);
    let failure_rate = judge(FAILURE_RATE.to_owned(), failures, Duration::ZERO);
    let models = latencies(slices, settings)
        .into_iter()
        .map(|(model, measured)| {
            let reading = judge(measured.key.clone(), measured, settings.window);
            (model, reading)
        });
    let models: Vec<_> = models.collect();
    let judged: Vec<&str> = kept.iter().map(|kept| kept.name.as_str()).collect();
    // A model without a job in the window has no data; it is told once, and then forgotten.
    let gone: Vec<Kept> = before
        .values()
        .filter(|kept| {
            !judged.contains(&kept.name.as_str()) && kept.state != State::InsufficientData
        })
        .map(|kept| Kept {
            name: kept.name.clone(),
            state: State::InsufficientData,
            since: now,
            over_since: None,
            evaluated_at: now,
        })
        .collect();
    kept.extend(gone);
    Judged {
        failure_rate,
        models,
        kept,
    }
}

/// The reading of the model that is worst off: the worst state, then the farthest over its threshold.
pub fn worst(models: &[(Label, Reading)], settings: &Signals) -> Reading {
    let excess = |reading: &Reading| reading.value.map_or(0.0, |value| value / reading.threshold);
    let worst = models.iter().map(|(_, reading)| reading).max_by(|a, b| {
        a.state
            .cmp(&b.state)
            .then_with(|| excess(a).total_cmp(&excess(b)))
    });
    worst.cloned().unwrap_or(Reading {
        state: State::InsufficientData,
        value: None,
        threshold: settings.latency_slo.as_secs_f64(),
        samples: 0,
        since: None,
    })
}

/// A signal's number, before its past is looked at.
struct Measured {
    key: String,
    value: Option<f64>,
    threshold: f64,
    samples: u64,
}

fn next(
    name: String,
    measured: &Measured,
    before: Option<&Kept>,
    settings: &Signals,
    hold: Duration,
    now: i64,
) -> Kept {
    let enough = measured.samples >= settings.min_samples;
    let over = measured
        .value
        .filter(|_| enough)
        .map(|value| value > measured.threshold);
    // The window reaches over a pause no longer than itself: what was over on both sides of it was over in it.
    let recent = before.filter(|kept| {
        let age = now.saturating_sub(kept.evaluated_at);
        (-AHEAD..=millis(settings.window)).contains(&age)
    });
    let over_since = match over {
        Some(true) => Some(recent.and_then(|kept| kept.over_since).unwrap_or(now)),
        Some(false) | None => None,
    };
    let state = match (over, over_since) {
        (None, _) => State::InsufficientData,
        (Some(_), Some(since)) if now.saturating_sub(since) >= millis(hold) => State::Firing,
        (Some(_), Some(_)) => State::Pending,
        (Some(_), None) => State::Ok,
    };
    Kept {
        name,
        state,
        since: before
            .filter(|kept| kept.state == state)
            .map_or(now, |kept| kept.since),
        over_since,
        evaluated_at: now,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of jobs are far below 2^53"
)]
fn failures(slices: &[Slice], settings: &Signals) -> Measured {
    let count = |ended| -> u64 {
        slices
            .iter()
            .filter(|slice| slice.ended == ended)
            .map(|slice| slice.count)
            .sum()
    };
    let (failed, completed) = (count(Ended::Failed), count(Ended::Completed));
    let samples = failed + completed;
    Measured {
        key: FAILURE_RATE.to_owned(),
        value: (samples > 0).then(|| failed as f64 / samples as f64),
        threshold: settings.failure_baseline + settings.failure_budget,
        samples,
    }
}

/// p95 by model: those with an SLO of their own and those with the most jobs by name, the rest as one.
fn latencies(slices: &[Slice], settings: &Signals) -> BTreeMap<Label, Measured> {
    let mut by_model: BTreeMap<Label, BTreeMap<i64, u64>> = BTreeMap::new();
    for slice in slices
        .iter()
        .filter(|slice| slice.ended == Ended::Completed)
    {
        if let Some(ms) = slice.processing_ms {
            let counts = by_model
                .entry(names::model(slice.model.as_deref()))
                .or_default();
            *counts.entry(ms).or_default() += slice.count;
        }
    }
    let own = |model: &Label| {
        let pair = settings
            .latency_slo_by_model
            .iter()
            .find(|(named, _)| named == model);
        pair.map(|(_, slo)| *slo)
    };
    if by_model.len() > MOST {
        let mut order: Vec<(bool, u64, Label)> = by_model
            .iter()
            .map(|(model, counts)| (own(model).is_some(), counts.values().sum(), model.clone()))
            .collect();
        order.sort_by_key(|&(has_slo, jobs, _)| Reverse((has_slo, jobs)));
        for (_, _, model) in order.into_iter().skip(MOST) {
            let counts = by_model.remove(&model).unwrap_or_default();
            let rest = by_model.entry(names::other()).or_default();
            for (ms, count) in counts {
                *rest.entry(ms).or_default() += count;
            }
        }
    }
    let measured = |(model, counts): (Label, BTreeMap<i64, u64>)| {
        let slo = own(&model).unwrap_or(settings.latency_slo);
        let measured = Measured {
            key: format!("{LATENCY}/{model}"),
            value: p95(&counts).map(seconds),
            threshold: slo.as_secs_f64(),
            samples: counts.values().sum(),
        };
        (model, measured)
    };
    by_model.into_iter().map(measured).collect()
}

/// The smallest value that at least 95 % do not exceed (nearest rank).
pub fn p95(counts: &BTreeMap<i64, u64>) -> Option<i64> {
    let total: u64 = counts.values().sum();
    let rank = (total * 95).div_ceil(100);
    let mut below = 0;
    counts.iter().find_map(|(&value, &count)| {
        below += count;
        (count > 0 && below >= rank).then_some(value)
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a job's life are far below 2^53"
)]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// `None` only beyond the year 9999.
pub fn at(ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}

#[cfg(test)]
mod tests;

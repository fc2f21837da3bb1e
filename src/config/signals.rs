//! When the job signals fire.

use std::time::Duration;

use super::job_types::Signals;
use super::raw::RawJobs;
use super::values::{self, Fault, Parsed, Reader};
use super::variables;
use crate::detail::Label;

const SHARE: &str = "a share from 0 to 1, such as 0.02";
const SLO: &str = "durations from 1ms to 24h: one for every model, model=duration for others, such as 5m, fast=30s";
/// As many as metrics tell apart.
const MOST_MODELS: usize = 30;
const DAY: Duration = Duration::from_hours(24);

/// Whether the signals count for `/health`.
pub(super) fn affect_health(raw: &RawJobs, reader: &mut Reader) -> Option<bool> {
    reader.value(
        "SIGNALS_AFFECT_HEALTH",
        raw.signals_affect_health.as_ref(),
        values::boolean,
    )
}

/// The signals' settings.
pub(super) fn signals(
    raw: &RawJobs,
    affect_health: Option<bool>,
    reader: &mut Reader,
) -> Option<Signals> {
    let slo = reader.value("LATENCY_SLO", raw.latency_slo.as_ref(), latency_slo);
    let baseline = reader.value(
        "FAILURE_RATE_BASELINE",
        raw.failure_rate_baseline.as_ref(),
        share,
    );
    let budget = reader.value(
        "FAILURE_RATE_BUDGET",
        raw.failure_rate_budget.as_ref(),
        share,
    );
    let window = reader.value("SIGNAL_WINDOW", raw.signal_window.as_ref(), |text| {
        let range = Duration::from_millis(100)..=DAY;
        let accepted = "a number with a unit from 100ms to 24h, such as 15m";
        values::duration(text, &range, accepted)
    });
    let min_samples = reader.value(
        "SIGNAL_MIN_SAMPLES",
        raw.signal_min_samples.as_ref(),
        |text| values::number(text, 1..=1_000_000_u64, "a whole number from 1 to 1000000"),
    );
    // Not by the rounding of a sum that is 1 on paper.
    if baseline
        .zip(budget)
        .is_some_and(|(a, b)| a + b > 1.0 + 1e-9)
    {
        let wrong = "and FAILURE_RATE_BASELINE add up to more than 1";
        reader.note(
            Fault::new(wrong, "two shares that add up to 1 at most").of("FAILURE_RATE_BUDGET"),
        );
    }
    let slo = slo?;
    Some(Signals {
        affect_health: affect_health?,
        latency_slo: slo.general,
        latency_slo_by_model: slo.by_model,
        failure_baseline: baseline?,
        failure_budget: budget?,
        window: window?,
        min_samples: min_samples?,
    })
}

struct LatencySlo {
    general: Duration,
    by_model: Vec<(Label, Duration)>,
}

fn latency_slo(text: &str) -> Parsed<LatencySlo> {
    let mut general = None;
    let mut by_model: Vec<(Label, Duration)> = Vec::new();
    values::list(text, SLO, |item, at| {
        let Some((model, duration)) = item.split_once('=') else {
            let duration = slo(item).map_err(|fault| at.place(&fault))?;
            return match general.replace(duration) {
                None => Ok(()),
                Some(_) => Err(at.fault("is a second duration for every model", SLO)),
            };
        };
        let Some(model) = Label::new(model.trim().to_owned()) else {
            let wrong = "has a model that is not 1 to 128 characters of A-Z a-z 0-9 . _ : -";
            return Err(at.fault(wrong, SLO));
        };
        let duration = slo(duration.trim()).map_err(|fault| at.place(&fault))?;
        if by_model.iter().any(|(other, _)| *other == model) {
            return Err(at.fault("has a model that another item has", SLO));
        }
        if by_model.len() == MOST_MODELS {
            return Err(Fault::new("has too many items", "up to 30 models"));
        }
        by_model.push((model, duration));
        Ok(())
    })?;
    let default = variables::find("LATENCY_SLO").and_then(|variable| variable.default);
    let general = match general {
        Some(general) => general,
        None => slo(default.unwrap_or_default())?,
    };
    Ok(LatencySlo { general, by_model })
}

fn slo(text: &str) -> Parsed<Duration> {
    values::duration(text, &(Duration::from_millis(1)..=DAY), SLO)
}

fn share(text: &str) -> Parsed<f64> {
    // Neither NaN nor an exponent.
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match text.parse::<f64>() {
        Ok(share) if plain && share <= 1.0 => Ok(share),
        Ok(_) if plain => Err(Fault::new("is out of range", SHARE)),
        _ => Err(Fault::new("is not a decimal number", SHARE)),
    }
}

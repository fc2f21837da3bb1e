//! The signals as JSON: what `/signals` answers and what the check `job_signals` shows as its data.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::board::{Basis, Board, Reading, State};
use crate::clock::rfc3339;

/// The signals of the jobs, as they were last judged.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Signals, examples(json!({
    "signals": {
        "job_failure_rate": {
            "state": "ok", "value": 0.031, "threshold": 0.05, "unit": "ratio", "window": "15m",
            "samples": 129, "since": "2026-11-23T17:32:10.004Z",
        },
        "processing_latency_p95": {
            "state": "ok", "value": 252.0, "threshold": 300.0, "unit": "seconds", "window": "15m",
            "samples": 125, "since": "2026-11-23T17:32:10.004Z", "models": {
                "hd": {
                    "state": "ok", "value": 252.0, "threshold": 300.0, "unit": "seconds", "window": "15m",
                    "samples": 125, "since": "2026-11-23T17:32:10.004Z",
                },
            },
        },
    },
    "basis": "webhooks",
    "evaluated_at": "2026-11-23T18:06:59.123Z",
    "current": true,
})))]
pub struct Told {
    /// By name. Members are only ever added.
    pub signals: Both,
    /// Where `job_failure_rate` comes from: the jobs that webhooks told of, or RunPod's own counters.
    #[schema(schema_with = bases)]
    pub basis: &'static str,
    /// When they were judged; `null` before the first time.
    #[schema(required, format = DateTime)]
    pub evaluated_at: Option<String>,
    /// Whether that was lately, and could read what it needs. If not, the readings are old.
    pub current: bool,
}

/// Each signal.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = SignalsByName)]
pub struct Both {
    /// The share of failed jobs among those that ended in the window; a cancelled one counts for nothing. The
    /// threshold is the baseline plus the error budget.
    pub job_failure_rate: Signal,
    /// The 95th percentile of the processing time of completed jobs, of the model that is worst off.
    pub processing_latency_p95: Latency,
}

/// One signal.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct Signal {
    /// `insufficient_data`: fewer samples than SIGNAL_MIN_SAMPLES. `pending`: over the threshold, not yet for the
    /// whole window.
    #[schema(schema_with = states)]
    pub state: &'static str,
    /// `null` without a single sample.
    #[schema(required)]
    pub value: Option<f64>,
    /// What the value must not exceed.
    pub threshold: f64,
    /// The unit of both.
    #[schema(schema_with = units)]
    pub unit: &'static str,
    /// The span that is looked at, with its unit.
    pub window: String,
    /// The jobs that it was judged from.
    #[schema(minimum = 0)]
    pub samples: u64,
    /// When it came into this state; `null` before it was first judged.
    #[schema(required, format = DateTime)]
    pub since: Option<String>,
}

/// The signal of the model that is worst off, and of each model.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = LatencySignal)]
pub struct Latency {
    /// The model that is worst off.
    #[serde(flatten)]
    pub worst: Signal,
    /// Each model of the window, by name; the rare ones together as `other`.
    pub models: BTreeMap<String, Signal>,
}

const RATIO: &str = "ratio";
const SECONDS: &str = "seconds";

impl Told {
    /// What `board` says at `now`.
    pub fn of(board: &Board, now: OffsetDateTime) -> Self {
        let signal = |reading: &Reading, unit| Signal {
            state: reading.state.as_str(),
            value: reading.value,
            threshold: reading.threshold,
            unit,
            window: humantime::format_duration(board.window).to_string(),
            samples: reading.samples,
            since: reading.since.map(rfc3339),
        };
        let models = board.models.iter();
        Told {
            signals: Both {
                job_failure_rate: signal(&board.failure_rate, RATIO),
                processing_latency_p95: Latency {
                    worst: signal(&board.latency, SECONDS),
                    models: models
                        .map(|(name, reading)| (name.to_string(), signal(reading, SECONDS)))
                        .collect(),
                },
            },
            basis: board.basis.as_str(),
            evaluated_at: board.evaluated_at.map(rfc3339),
            current: board.is_current(now),
        }
    }
}

fn words(words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words.into_iter().map(Value::from)))
        .build()
}

fn states() -> Object {
    words(State::ALL.map(State::as_str))
}

fn bases() -> Object {
    words([Basis::Webhooks, Basis::RunPodCounters].map(Basis::as_str))
}

fn units() -> Object {
    words([RATIO, SECONDS])
}

//! What the room counts of itself, for `/metrics`. Names that senders choose are bounded.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::door::Refusal;
use super::event::{Delivery, Source, Status, Told};
use super::families::{
    COMMITS, DELIVERIES, EVENTS, FINISHED, PROCESSING, QUEUED, RESTARTS, SIGNAL_SAMPLES,
    SIGNAL_STATE, SIGNAL_THRESHOLD, SIGNAL_VALUE, SIGNALS_CURRENT, SIGNALS_EVALUATED, STORE_ERRORS,
    STORE_UP,
};
use super::lifecycle::Job;
use super::names::{self, Bounded};
use super::signals::board::{Board, Reading, State};
use super::signals::judge::{FAILURE_RATE, LATENCY};
use super::signals::window::Ended;
use super::store::{Kind, Stored};
use crate::config::Signals;
use crate::detail::Label;
use crate::histogram::{Histogram, Scale, SharedHistogram};
use crate::sample::{LabelValue, Sample};

const RESULTS: [&str; 6] = [
    "accepted",
    "duplicate",
    "invalid_signature",
    "wrong_token",
    "invalid",
    "unavailable",
];

const TOLD: [Told; 6] = [
    Told::Reached(Status::Created),
    Told::Reached(Status::Processing),
    Told::Reached(Status::Completed),
    Told::Reached(Status::Failed),
    Told::Disagreement,
    Told::Unknown,
];

const ENDED: [(Ended, &str); 3] = [
    (Ended::Completed, "completed"),
    (Ended::Failed, "failed"),
    (Ended::Cancelled, "cancelled"),
];

/// Counters of one process.
#[derive(Debug)]
pub(super) struct Counts {
    counted: i16,
    events: [AtomicU64; TOLD.len()],
    deliveries: [[AtomicU64; RESULTS.len()]; 2],
    store_up: AtomicBool,
    store_errors: [AtomicU64; Kind::ALL.len()],
    pub(super) commits: SharedHistogram,
    restarts: AtomicU64,
    jobs: Mutex<Jobs>,
}

/// What is told apart by names of senders.
#[derive(Debug)]
struct Jobs {
    models: Bounded,
    codes: Bounded,
    finished: BTreeMap<(&'static str, Option<Label>, Label), u64>,
    processing: BTreeMap<Label, Histogram>,
}

impl Counts {
    /// `counted`: whose jobs the signals are judged from. The models with an SLO of their own have their series from the start: one that began with its first event
    /// would hide that from `increase()`.
    pub(super) fn new(settings: &Signals, counted: i16) -> Self {
        let named = settings
            .latency_slo_by_model
            .iter()
            .map(|(model, _)| model.clone());
        let models: Vec<Label> = named.chain([names::model(None)]).collect();
        let series = |outcome: &'static str| {
            models
                .iter()
                .map(move |model| ((outcome, None, model.clone()), 0))
        };
        let empty = |model: &Label| (model.clone(), Histogram::new(Scale::Jobs));
        Counts {
            counted,
            events: Default::default(),
            deliveries: Default::default(),
            store_up: AtomicBool::new(false),
            store_errors: Default::default(),
            commits: SharedHistogram::default(),
            restarts: AtomicU64::new(0),
            jobs: Mutex::new(Jobs {
                finished: series("completed").chain(series("failed")).collect(),
                processing: models.iter().map(empty).collect(),
                models: Bounded::knowing(models),
                codes: Bounded::default(),
            }),
        }
    }

    /// Counts what a delivery was answered.
    pub(super) fn answered(&self, source: Source, answer: Result<bool, Refusal>) {
        let result = match answer {
            Ok(false) => 0,
            Ok(true) => 1,
            Err(Refusal::InvalidSignature(_)) => 2,
            Err(Refusal::WrongToken) => 3,
            Err(Refusal::Invalid(_)) => 4,
            Err(Refusal::Unavailable { .. }) => 5,
        };
        self.deliveries[usize::from(source == Source::RunPod)][result].fetch_add(1, Relaxed);
    }

    /// Counts what was stored.
    pub(super) fn stored(&self, delivery: &Delivery, stored: &Stored) {
        let Stored::Recorded { before, job, .. } = stored else {
            return;
        };
        if let Some(told) = TOLD.iter().position(|told| *told == delivery.told) {
            self.events[told].fetch_add(1, Relaxed);
        }
        if let Some(job) = job.as_deref().filter(|job| self.counts(job)) {
            self.job(before.as_deref().filter(|job| self.counts(job)), job);
        }
    }

    /// Whether a job is one of those that the signals are judged from.
    fn counts(&self, job: &Job) -> bool {
        job.sources & self.counted != 0
    }

    /// Counts what has become known of a job: that it ended, and how long it took.
    fn job(&self, before: Option<&Job>, job: &Job) {
        let is_news = before.and_then(Ended::of).is_none();
        let ended = Ended::of(job).filter(|_| is_news);
        let was_timed = before.and_then(Job::processing_ms).is_some();
        let took = job.processing_ms().filter(|_| !was_timed);
        if ended.is_none() && took.is_none() {
            return;
        }
        let mut jobs = self.jobs();
        let model = jobs.models.of(names::model(job.facts.model.as_deref()));
        if let Some((_, outcome)) = ENDED.iter().find(|(known, _)| Some(*known) == ended) {
            let code = job.facts.error_code.clone().and_then(Label::new);
            let code = code.filter(|_| job.status == Status::Failed);
            let code = code.map(|code| jobs.codes.of(code));
            let series = (*outcome, code, model.clone());
            *jobs.finished.entry(series).or_default() += 1;
        }
        if let Some(took) = took.and_then(|ms| u64::try_from(ms).ok()) {
            let times = jobs.processing.entry(model);
            times
                .or_insert_with(|| Histogram::new(Scale::Jobs))
                .record(Duration::from_millis(took));
        }
    }

    /// Counts an error of the store.
    pub(super) fn store_error(&self, kind: Kind) {
        self.store_errors[kind as usize].fetch_add(1, Relaxed);
    }

    /// Tells whether the store is open.
    pub(super) fn store_up(&self, up: bool) {
        self.store_up.store(up, Relaxed);
    }

    /// Counts a task that had to be started anew.
    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Relaxed);
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        // Counters are whole at every moment.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds everything counted so far; `queued` deliveries wait.
    pub(super) fn samples(&self, queued: u64, out: &mut Vec<Sample>) {
        for (told, count) in TOLD.iter().zip(&self.events) {
            out.push(EVENTS.sample([told.as_str().into()], count.load(Relaxed)));
        }
        for (source, counts) in [Source::Webhook, Source::RunPod]
            .iter()
            .zip(&self.deliveries)
        {
            for (result, count) in RESULTS.iter().zip(counts) {
                let labels = [source.as_str().into(), (*result).into()];
                out.push(DELIVERIES.sample(labels, count.load(Relaxed)));
            }
        }
        let jobs = self.jobs();
        for ((outcome, code, model), count) in &jobs.finished {
            let code = code.as_ref().map_or(LabelValue::from(""), LabelValue::from);
            out.push(FINISHED.sample([(*outcome).into(), code, model.into()], *count));
        }
        for (model, times) in &jobs.processing {
            out.push(PROCESSING.sample([model.into()], times.clone()));
        }
        drop(jobs);
        out.push(STORE_UP.sample([], self.store_up.load(Relaxed)));
        for (kind, count) in Kind::ALL.iter().zip(&self.store_errors) {
            out.push(STORE_ERRORS.sample([kind.as_str().into()], count.load(Relaxed)));
        }
        out.push(QUEUED.sample([], queued));
        out.push(COMMITS.sample([], self.commits.read()));
        out.push(RESTARTS.sample([], self.restarts.load(Relaxed)));
    }
}

/// Adds what the signals are.
pub(super) fn of_board(board: &Board, out: &mut Vec<Sample>) {
    let none = || LabelValue::from("");
    let readings = [
        (FAILURE_RATE, none(), &board.failure_rate),
        (LATENCY, none(), &board.latency),
    ];
    for (signal, _, reading) in &readings {
        for state in State::ALL {
            let labels = [(*signal).into(), state.as_str().into()];
            out.push(SIGNAL_STATE.sample(labels, reading.state == state));
        }
    }
    let models = board
        .models
        .iter()
        .map(|(model, reading)| (LATENCY, model.into(), reading));
    for (signal, model, reading) in readings.into_iter().chain(models) {
        let Reading {
            value,
            threshold,
            samples,
            ..
        } = reading;
        out.extend(value.map(|value| SIGNAL_VALUE.sample([signal.into(), model.clone()], value)));
        out.push(SIGNAL_THRESHOLD.sample([signal.into(), model.clone()], *threshold));
        out.push(SIGNAL_SAMPLES.sample([signal.into(), model], *samples));
    }
    out.push(SIGNALS_CURRENT.sample([], board.current));
    if let Some(at) = board.evaluated_at {
        let since_epoch = at - time::OffsetDateTime::UNIX_EPOCH;
        out.push(SIGNALS_EVALUATED.sample([], since_epoch.as_seconds_f64()));
    }
}

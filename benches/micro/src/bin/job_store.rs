//! How the questions to the job store grow with what is stored, and how exact its p95 is.
//!
//! ```sh
//! cargo run --release --locked --manifest-path benches/Cargo.toml --package infra-health-micro --bin job_store
//! ```
//!
//! In process, on SQLite in a temporary folder: jobs of three events, 500 events a second of their own time, in batches as the
//! room writes them. At 10,000, 100,000 and 1,000,000 stored events it asks for jobs by id, pages of failed jobs, a window
//! that always holds as many jobs, and the window of the last 15 minutes, which grows until it is full. Nothing about time
//! is asserted. Then 1,000,000 durations, their p95 by the service and exactly: every one sorted, the nearest rank. Some
//! minutes. `-- growth` or `-- p95` is one of the two; `JOB_STORE_EVENTS` is a smaller size for both.

use std::path::Path;
use std::time::{Duration, Instant};

use infra_health::config::{Database, Signals};
use infra_health::jobs::event::{Delivery, Source, Status};
use infra_health::jobs::signals::judge::judge;
use infra_health::jobs::store::{Store, Wanted};
use infra_health_micro::Error;
use infra_health_micro::job_history::{
    BEGIN_MS, EVENTS, SPACING_MS, duration, job, job_id, measured, scatter,
};
use tokio::runtime::{Builder, Runtime};

/// Stored events at the end.
const EVENTS_AT_LAST: u64 = 1_000_000;
/// Deliveries of one transaction.
const BATCH: usize = 500;
/// Questions of a kind at a size.
const QUESTIONS: u64 = 300;
/// Of a page of the list.
const PAGE: u32 = 100;
/// Jobs of the window that does not grow.
const CONSTANT: i64 = 3_000;
const WINDOW: Duration = Duration::from_mins(15);
/// How long jobs are worked on here, milliseconds.
const PROCESSING: i64 = 5_000;

fn main() -> Result<(), Error> {
    let events = match std::env::var("JOB_STORE_EVENTS") {
        Ok(text) => text.parse()?,
        Err(_) => EVENTS_AT_LAST,
    };
    let folder = tempfile::Builder::new().prefix("bench-store").tempdir()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let part = std::env::args().nth(1);
    match part.as_deref() {
        None => {
            growth(&runtime, &folder.path().join("growth.db"), events)?;
            exactness(&runtime, &folder.path().join("exact.db"), events)
        }
        Some("growth") => growth(&runtime, &folder.path().join("growth.db"), events),
        Some("p95") => exactness(&runtime, &folder.path().join("exact.db"), events),
        Some(other) => Err(format!("{other}: accepted: growth, p95, or nothing for both").into()),
    }
}

fn growth(runtime: &Runtime, path: &Path, events: u64) -> Result<(), Error> {
    let store = runtime.block_on(Store::open(&Database::Sqlite(path.to_owned())))?;
    println!(
        "| events | jobs | MB | written, events a second | question | p50, µs | p95, µs | rows |\n|---|---|---|---|---|---|---|---|"
    );
    let mut jobs = 0;
    for size in [events / 100, events / 10, events] {
        let begin = Instant::now();
        let before = jobs;
        while jobs < size / EVENTS {
            let mut batch = Vec::with_capacity(BATCH + 3);
            while batch.len() < BATCH && jobs < size / EVENTS {
                batch.extend(job(jobs, PROCESSING + duration(jobs) % 1000));
                jobs += 1;
            }
            write(runtime, &store, &batch)?;
        }
        let rate = (jobs - before) * EVENTS * 1_000_000
            / u64::try_from(begin.elapsed().as_micros())?.max(1);
        let bytes = runtime.block_on(store.bytes())? / 1_000_000;
        ask(
            runtime,
            &store,
            jobs,
            &format!("| {} | {jobs} | {bytes} | {rate}", jobs * EVENTS),
        )?;
    }
    runtime.block_on(store.close());
    Ok(())
}

fn write(runtime: &Runtime, store: &Store, batch: &[Delivery]) -> Result<(), Error> {
    if runtime.block_on(store.write(batch))?.len() != batch.len() {
        return Err("not as many results as deliveries".into());
    }
    Ok(())
}

/// All questions at one size.
fn ask(runtime: &Runtime, store: &Store, jobs: u64, row: &str) -> Result<(), Error> {
    let print = |question: &str, timings: Timings, rows: usize| {
        println!(
            "{row} | {question} | {} | {} | {rows} |",
            timings.micros(50),
            timings.micros(95)
        );
    };
    let (mut timings, mut rows) = (Timings::default(), 0);
    for number in 0..QUESTIONS {
        let id = job_id(scatter(number) % jobs);
        let trail = timings
            .of(runtime, store.job(&id))?
            .ok_or("a job is not there")?;
        rows = trail.records.len();
    }
    print("GET /jobs/{job_id}", timings, rows);

    let (mut timings, mut rows) = (Timings::default(), 0);
    for number in 0..QUESTIONS {
        let failed = scatter(number) % jobs;
        let wanted = Wanted {
            status: Some(Status::Failed),
            after: Some((time_of(failed), job_id(failed))),
            limit: PAGE,
            ..Wanted::default()
        };
        rows = rows.max(timings.of(runtime, store.list(&wanted))?.len());
    }
    print(
        "a page of 100 of GET /jobs?status=failed, anywhere",
        timings,
        rows,
    );

    let end = time_of(jobs) + 2 * PROCESSING;
    let fifteen = i64::try_from(WINDOW.as_millis())?;
    for (name, since) in [
        (
            "window of 3,000 jobs",
            time_of(jobs) - CONSTANT * SPACING_MS,
        ),
        ("window of 15 minutes", end - fifteen),
    ] {
        let (mut timings, mut counted) = (Timings::default(), 0);
        for _ in 0..QUESTIONS / 10 {
            let slices = timings.of(runtime, store.window(since, end, Source::Webhook.bit()))?;
            counted = slices.iter().map(|slice| slice.count).sum();
        }
        print(name, timings, usize::try_from(counted)?);
    }
    Ok(())
}

/// When a job was created.
fn time_of(job: u64) -> i64 {
    BEGIN_MS + i64::try_from(job).unwrap_or(0) * SPACING_MS
}

/// The p95 of the store's window against all durations, sorted.
fn exactness(runtime: &Runtime, path: &Path, events: u64) -> Result<(), Error> {
    let store = runtime.block_on(Store::open(&Database::Sqlite(path.to_owned())))?;
    let mut all = Vec::new();
    for begin in (0..events).step_by(BATCH) {
        let batch: Vec<_> = (begin..events.min(begin + BATCH as u64))
            .map(|number| {
                let took = duration(number);
                all.push(took);
                measured(number, took)
            })
            .collect();
        write(runtime, &store, &batch)?;
    }
    let mut timings = Timings::default();
    let sources = Source::RunPod.bit();
    let slices = timings.of(runtime, store.window(0, i64::MAX, sources))?;
    runtime.block_on(store.close());
    let begin = Instant::now();
    let judged = judge(&slices, &[], &settings(), BEGIN_MS);
    let judging = begin.elapsed().as_micros();
    let (_, reading) = judged.models.first().ok_or("no model was judged")?;
    let value = reading.value.ok_or("no value")? * 1e3;

    all.sort_unstable();
    let nearest = all[(all.len() * 95).div_ceil(100) - 1];
    let exact = f64::from(u32::try_from(nearest)?);
    println!(
        "\np95 of {} durations: by the service {value:.0} ms (of {} jobs), exact {exact:.0} ms, error {:+.4} %; \
         window read in {} µs as {} rows, judged in {judging} µs",
        all.len(),
        reading.samples,
        100.0 * (value / exact - 1.0),
        timings.micros(50),
        slices.len(),
    );
    Ok(())
}

fn settings() -> Signals {
    Signals {
        affect_health: false,
        latency_slo: Duration::from_mins(5),
        latency_slo_by_model: Vec::new(),
        failure_baseline: 0.02,
        failure_budget: 0.03,
        window: WINDOW,
        min_samples: 20,
    }
}

/// How long questions took.
#[derive(Default)]
struct Timings(Vec<Duration>);

impl Timings {
    fn of<T, E>(
        &mut self,
        runtime: &Runtime,
        question: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let begin = Instant::now();
        let answer = runtime.block_on(question);
        self.0.push(begin.elapsed());
        answer
    }

    /// The time that so many percent did not exceed.
    fn micros(&self, percent: usize) -> u128 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).map_or(0, Duration::as_micros)
    }
}

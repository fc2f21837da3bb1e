//! The C rows of the decision table: from an endpoint's own samples to findings. Pure.
//!
//! | row | condition | for | says |
//! |---|---|---|---|
//! | C3 | jobs wait, none up, some unhealthy | 60 s | `workers_crashing` |
//! | C4 | jobs wait, none up, some throttled, none initializing | 120 s | `capacity_throttled` |
//! | C5 | jobs wait, all six worker counts 0 | 120 s | `no_workers` |
//! | C6 | jobs wait, none up, some initializing | 420 s | `cold_start_slow` |
//! | C7 | jobs wait, some up, none in progress, none done | 300 s | `jobs_not_dispatched` |
//! | C8 | some unhealthy, and some up or nothing waits | 120 s | `workers_unhealthy` |
//! | C9 | some throttled, some up, jobs wait | 300 s | `capacity_constrained` |
//! | C10 | queue over its limit; or rising while jobs are done | at once; 600 s | `backlog_growing` |
//! | C11 | over 20 % of at least 10 jobs failed | 900 s | `job_failure_rate_high` |
//! | C12 | retries over 20 % of at least 10 jobs | 900 s | `job_retries_high` |
//!
//! "For T" is: true on every sample of a stretch at least T long, the newest included. A row that needs
//! a count which a sample lacks is not true there. How runs without an answer count is in `history.rs`.
//! C11 and C12 look at a whole window, never at less: minutes after a start a handful of jobs says little.

use std::time::Duration;

use super::history::{History, Sample, WINDOW, rise};
use super::reasons::{
    BACKLOG_GROWING, CAPACITY_CONSTRAINED, CAPACITY_THROTTLED, COLD_START_SLOW,
    JOB_FAILURE_RATE_HIGH, JOB_RETRIES_HIGH, JOBS_NOT_DISPATCHED, NO_WORKERS, WORKERS_CRASHING,
    WORKERS_UNHEALTHY,
};
use crate::check::Finding;
use crate::detail::Detail;
use crate::reason::Reason;

const CRASHING_FOR: Duration = Duration::from_mins(1);
const THROTTLED_FOR: Duration = Duration::from_mins(2);
const NO_WORKERS_FOR: Duration = Duration::from_mins(2);
/// RunPod marks a worker unhealthy that has been initializing for 7 minutes.
const COLD_START_FOR: Duration = Duration::from_mins(7);
const NOT_DISPATCHED_FOR: Duration = Duration::from_mins(5);
const UNHEALTHY_FOR: Duration = Duration::from_mins(2);
const CONSTRAINED_FOR: Duration = Duration::from_mins(5);
const RISING_FOR: Duration = Duration::from_mins(10);

/// A ratio needs at least so many jobs…
const FEWEST_JOBS: u64 = 10;
/// …and is high above so many of a hundred.
const HIGH_PERCENT: u64 = 20;

/// The reasons that need time, and how much of it: a run that ends sooner has not judged them.
/// `backlog_growing` is also reported at once when the queue is over `RUNPOD_BACKLOG_LIMIT`.
pub const TIMED: &[(&Reason, Duration)] = &[
    (&WORKERS_CRASHING, CRASHING_FOR),
    (&CAPACITY_THROTTLED, THROTTLED_FOR),
    (&NO_WORKERS, NO_WORKERS_FOR),
    (&COLD_START_SLOW, COLD_START_FOR),
    (&JOBS_NOT_DISPATCHED, NOT_DISPATCHED_FOR),
    (&WORKERS_UNHEALTHY, UNHEALTHY_FOR),
    (&CAPACITY_CONSTRAINED, CONSTRAINED_FOR),
    (&BACKLOG_GROWING, RISING_FOR),
    (&JOB_FAILURE_RATE_HIGH, WINDOW),
    (&JOB_RETRIES_HIGH, WINDOW),
];

/// One row whose condition must hold for a time.
struct Row {
    reason: &'static Reason,
    least: Duration,
    /// `None`: the sample lacks a count that the row needs.
    holds: fn(&Sample) -> Option<bool>,
    linked: fn(&Sample, &Sample) -> bool,
}

fn anyway(_older: &Sample, _newer: &Sample) -> bool {
    true
}

/// In the table's order: of equals the first decides, and a crash explains more than a lack of capacity.
static ROWS: [Row; 7] = [
    Row {
        reason: &WORKERS_CRASHING,
        least: CRASHING_FOR,
        holds: |s| Some(stranded(s)? && s.workers.unhealthy? > 0),
        linked: anyway,
    },
    Row {
        reason: &CAPACITY_THROTTLED,
        least: THROTTLED_FOR,
        holds: |s| Some(stranded(s)? && s.workers.throttled? > 0 && s.workers.initializing? == 0),
        linked: anyway,
    },
    Row {
        reason: &NO_WORKERS,
        least: NO_WORKERS_FOR,
        holds: |s| Some(s.jobs.in_queue? > 0 && s.workers.none()),
        linked: anyway,
    },
    Row {
        reason: &COLD_START_SLOW,
        least: COLD_START_FOR,
        holds: cold_start,
        linked: anyway,
    },
    Row {
        reason: &JOBS_NOT_DISPATCHED,
        least: NOT_DISPATCHED_FOR,
        holds: |s| {
            s.jobs.done()?;
            Some(s.jobs.in_queue? > 0 && s.workers.up()? > 0 && s.jobs.in_progress? == 0)
        },
        linked: |older, newer| done(&[newer, older]) == Some(0),
    },
    Row {
        reason: &WORKERS_UNHEALTHY,
        least: UNHEALTHY_FOR,
        holds: |s| {
            let others_up = s.workers.up().is_some_and(|up| up > 0);
            Some(s.workers.unhealthy? > 0 && (others_up || s.jobs.in_queue? == 0))
        },
        linked: anyway,
    },
    Row {
        reason: &CAPACITY_CONSTRAINED,
        least: CONSTRAINED_FOR,
        holds: |s| Some(s.workers.throttled? > 0 && s.workers.up()? > 0 && s.jobs.in_queue? > 0),
        linked: anyway,
    },
];

/// Every row that the samples meet, in the table's order; nothing without a sample.
pub fn judge(history: &History, backlog_limit: Option<u64>) -> Vec<Finding> {
    let Some(newest) = history.newest() else {
        return Vec::new();
    };
    let mut findings: Vec<Finding> = ROWS.iter().filter_map(|row| row.judge(history)).collect();
    findings.extend(backlog(history, newest, backlog_limit));
    if let Some(samples) = history.over(WINDOW) {
        findings.extend(failure_rate(&samples));
        findings.extend(retries(&samples));
    }
    findings
}

/// What is worth knowing of an endpoint in good state: C6 while it is young, and C15.
pub fn notes(history: &History) -> Vec<&'static str> {
    let Some(newest) = history.newest() else {
        return Vec::new();
    };
    let workers = &newest.workers;
    if cold_start(newest) == Some(true) {
        return vec!["cold_start"];
    }
    if newest.jobs.in_queue != Some(0) || workers.unhealthy.is_some_and(|count| count > 0) {
        return Vec::new();
    }
    match workers.up() {
        Some(0) if workers.throttled.is_some_and(|count| count > 0) => {
            vec!["idle_throttled_record", "max_workers_not_verified"]
        }
        Some(0) => vec!["scaled_to_zero", "max_workers_not_verified"],
        Some(_) => vec!["ready"],
        None => Vec::new(),
    }
}

impl Row {
    fn judge(&self, history: &History) -> Option<Finding> {
        let held = history.held(|sample| (self.holds)(sample) == Some(true), self.linked)?;
        let newest = history.newest()?;
        (held >= self.least).then(|| {
            let detail = state(newest)
                .text("; for ")
                .number(held.as_secs())
                .text(" s");
            Finding::new(self.reason).detail(detail)
        })
    }
}

/// Jobs wait and no worker is up.
fn stranded(sample: &Sample) -> Option<bool> {
    Some(sample.jobs.in_queue? > 0 && sample.workers.up()? == 0)
}

fn cold_start(sample: &Sample) -> Option<bool> {
    Some(stranded(sample)? && sample.workers.initializing? > 0)
}

/// Jobs that ended over `samples` (newest first).
fn done(samples: &[&Sample]) -> Option<u64> {
    let completed = rise(samples, |sample| sample.jobs.completed)?;
    let failed = rise(samples, |sample| sample.jobs.failed)?;
    Some(completed.saturating_add(failed))
}

fn backlog(history: &History, newest: &Sample, limit: Option<u64>) -> Option<Finding> {
    let queued = newest.jobs.in_queue?;
    let detail = Detail::new().number(queued).text(" in queue");
    if let Some(limit) = limit.filter(|limit| queued > *limit) {
        let detail = detail.text(", the limit is ").number(limit);
        return Some(Finding::new(&BACKLOG_GROWING).detail(detail));
    }
    let samples = history.over(RISING_FOR)?;
    let working = done(&samples)? > 0;
    let oldest = samples.last()?.jobs.in_queue?;
    (working && rising(&samples)?).then(|| {
        let detail = detail.text(", ").number(oldest).text(" ");
        let detail = detail.number(minutes(&samples)).text(" minutes before");
        Finding::new(&BACKLOG_GROWING).detail(detail)
    })
}

/// Whether the shortest and the longest queue of each third (by time) exceed those of the third before:
/// steady growth and growth with noise are found, a step to a new level and a short burst are not.
fn rising(samples: &[&Sample]) -> Option<bool> {
    let (newest, oldest) = (samples.first()?.at, samples.last()?.at);
    let third = (newest - oldest) / 3;
    let mut thirds: [Option<(u64, u64)>; 3] = [None; 3];
    for sample in samples {
        let queued = sample.jobs.in_queue?;
        let after = sample.at - oldest;
        let index = usize::from(after >= third) + usize::from(after >= third * 2);
        let (least, most) = thirds[index].unwrap_or((queued, queued));
        thirds[index] = Some((least.min(queued), most.max(queued)));
    }
    let known: Vec<(u64, u64)> = thirds.into_iter().flatten().collect();
    Some(
        known
            .windows(2)
            .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1),
    )
}

fn failure_rate(samples: &[&Sample]) -> Option<Finding> {
    let jobs = done(samples)?;
    let failed = rise(samples, |sample| sample.jobs.failed)?;
    high(failed, jobs).then(|| {
        let counts = Detail::new()
            .number(failed)
            .text(" failed of ")
            .number(jobs);
        ratio(&JOB_FAILURE_RATE_HIGH, counts, samples)
    })
}

fn retries(samples: &[&Sample]) -> Option<Finding> {
    let jobs = done(samples)?;
    let retried = rise(samples, |sample| sample.jobs.retried)?;
    high(retried, jobs).then(|| {
        let counts = Detail::new()
            .number(retried)
            .text(" retries for ")
            .number(jobs);
        ratio(&JOB_RETRIES_HIGH, counts, samples)
    })
}

fn high(part: u64, jobs: u64) -> bool {
    jobs >= FEWEST_JOBS && u128::from(part) * 100 > u128::from(jobs) * u128::from(HIGH_PERCENT)
}

fn ratio(reason: &'static Reason, counts: Detail, samples: &[&Sample]) -> Finding {
    let span = counts.text(" jobs in ").number(minutes(samples));
    Finding::new(reason).detail(span.text(" minutes"))
}

/// The whole minutes that `samples` (newest first) span. At a slow pace that is more than was asked for:
/// the sample at or before the start may be much older.
fn minutes(samples: &[&Sample]) -> u64 {
    let ends = samples.first().zip(samples.last());
    ends.map_or(0, |(newest, oldest)| (newest.at - oldest.at).as_secs() / 60)
}

/// The newest sample's counts, those that it has.
fn state(sample: &Sample) -> Detail {
    let counts = [
        (" in queue", sample.jobs.in_queue),
        (" in progress", sample.jobs.in_progress),
        (" up", sample.workers.up()),
        (" initializing", sample.workers.initializing),
        (" throttled", sample.workers.throttled),
        (" unhealthy", sample.workers.unhealthy),
    ];
    let mut detail = Detail::new();
    for (word, count) in counts {
        let Some(count) = count else { continue };
        if !detail.is_empty() {
            detail = detail.text(", ");
        }
        detail = detail.number(count).text(word);
    }
    detail
}

#[cfg(test)]
mod tests;

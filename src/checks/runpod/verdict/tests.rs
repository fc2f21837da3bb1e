//! Every row fires when it must and not one step before.

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;
use crate::checks::runpod::payload::{Jobs, Payload, Workers};

/// One endpoint asked every 30 s.
struct Endpoint {
    history: History,
    at: Instant,
    limit: Option<u64>,
}

const STEP: Duration = Duration::from_secs(30);

impl Endpoint {
    fn new() -> Self {
        Endpoint {
            history: History::default(),
            at: Instant::now(),
            limit: None,
        }
    }

    fn answers(&mut self, payload: Payload) -> Vec<&'static str> {
        self.answers_after(STEP, payload)
    }

    fn answers_after(&mut self, step: Duration, payload: Payload) -> Vec<&'static str> {
        self.at += step;
        self.history.answered(self.at, &payload);
        judge(&self.history, self.limit)
            .iter()
            .map(|finding| finding.reason.code)
            .collect()
    }

    fn is_silent(&mut self, runs: u32) {
        for _ in 0..runs {
            self.at += STEP;
            self.history.unanswered();
        }
    }
}

/// A live answer: all eleven counts there and 0.
fn zero() -> Payload {
    Payload {
        workers: Workers {
            idle: Some(0),
            initializing: Some(0),
            ready: Some(0),
            running: Some(0),
            throttled: Some(0),
            unhealthy: Some(0),
        },
        jobs: Jobs {
            in_queue: Some(0),
            in_progress: Some(0),
            completed: Some(0),
            failed: Some(0),
            retried: Some(0),
        },
    }
}

fn with(change: impl FnOnce(&mut Payload)) -> Payload {
    let mut payload = zero();
    change(&mut payload);
    payload
}

fn queued(change: impl FnOnce(&mut Payload)) -> Payload {
    with(|p| {
        p.jobs.in_queue = Some(3);
        change(p);
    })
}

/// The rows with a constant condition: code, answer, seconds.
fn streaks() -> Vec<(&'static str, Payload, u64)> {
    vec![
        (
            "workers_crashing",
            queued(|p| p.workers.unhealthy = Some(2)),
            60,
        ),
        (
            "capacity_throttled",
            queued(|p| p.workers.throttled = Some(1)),
            120,
        ),
        ("no_workers", queued(|_| ()), 120),
        (
            "cold_start_slow",
            queued(|p| p.workers.initializing = Some(1)),
            420,
        ),
        (
            "jobs_not_dispatched",
            queued(|p| p.workers.running = Some(1)),
            300,
        ),
        (
            "workers_unhealthy",
            with(|p| {
                p.workers.unhealthy = Some(1);
                p.workers.running = Some(1);
            }),
            120,
        ),
        (
            "workers_unhealthy",
            with(|p| p.workers.unhealthy = Some(1)),
            120,
        ),
        (
            "capacity_constrained",
            queued(|p| {
                p.workers.throttled = Some(1);
                p.workers.idle = Some(1);
                p.jobs.in_progress = Some(1);
            }),
            300,
        ),
    ]
}

#[test]
fn a_row_fires_after_its_time_and_not_one_step_before() {
    for (code, payload, seconds) in streaks() {
        let mut endpoint = Endpoint::new();
        for step in 0..=seconds / 30 {
            let codes = endpoint.answers(payload);
            let expected: &[&str] = if step * 30 >= seconds { &[code] } else { &[] };
            assert_eq!(codes, expected, "{code} at {} s", step * 30);
        }
    }
}

#[test]
fn one_good_sample_starts_the_time_anew() {
    for (code, payload, seconds) in streaks() {
        let mut endpoint = Endpoint::new();
        for _ in 0..seconds / 30 {
            endpoint.answers(payload);
        }
        assert_eq!(endpoint.answers(zero()), [""; 0], "{code}");
        for _ in 0..seconds / 30 {
            assert_eq!(endpoint.answers(payload), [""; 0], "{code}");
        }
        assert_eq!(endpoint.answers(payload), [code]);
    }
}

#[test]
fn a_fault_is_told_only_while_the_newest_sample_shows_it() {
    for (code, payload, seconds) in streaks() {
        let mut endpoint = Endpoint::new();
        for _ in 0..=seconds / 30 {
            endpoint.answers(payload);
        }
        assert_eq!(endpoint.answers(payload), [code]);
        assert_eq!(endpoint.answers(zero()), [""; 0], "{code}");
    }
}

#[test]
fn runs_without_an_answer_are_seen_past_up_to_two_in_a_row() {
    for (code, payload, seconds) in streaks() {
        let mut endpoint = Endpoint::new();
        endpoint.answers(payload);
        for _ in 0..seconds / 30 {
            endpoint.is_silent(2);
            endpoint.answers(payload);
        }
        assert_eq!(endpoint.answers(payload), [code]);
        endpoint.is_silent(3);
        assert_eq!(endpoint.answers(payload), [""; 0], "{code}");
    }
}

#[test]
fn a_slow_pace_needs_two_samples() {
    for (code, payload, seconds) in streaks() {
        let mut endpoint = Endpoint::new();
        assert_eq!(endpoint.answers(payload), [""; 0]);
        assert_eq!(
            endpoint.answers_after(Duration::from_secs(seconds), payload),
            [code]
        );
    }
}

#[test]
fn a_row_whose_count_is_missing_does_not_apply() {
    // The documented two-field form: a stranded queue cannot be told from a cold start.
    let two_fields = Payload {
        workers: Workers {
            idle: Some(0),
            running: Some(0),
            ..Workers::default()
        },
        jobs: zero().jobs,
    };
    let jobs = Jobs {
        in_queue: Some(3),
        ..two_fields.jobs
    };
    let mut endpoint = Endpoint::new();
    for _ in 0..40 {
        assert_eq!(endpoint.answers(Payload { jobs, ..two_fields }), [""; 0]);
    }
    // No jobs at all (load balancing): unhealthy workers beside good ones are still told.
    let workers = Workers {
        unhealthy: Some(1),
        ready: Some(1),
        running: Some(1),
        ..Workers::default()
    };
    let mut endpoint = Endpoint::new();
    for step in 0..40 {
        let codes = endpoint.answers(Payload {
            workers,
            jobs: Jobs::default(),
        });
        assert_eq!(codes.contains(&"workers_unhealthy"), step >= 4);
    }
}

#[test]
fn fit_states_stay_fit_and_have_a_note() {
    let cases: [(&[&str], Payload); 6] = [
        (
            &["ready"],
            with(|p| (p.workers.idle, p.workers.ready) = (Some(2), Some(2))),
        ),
        (&["ready"], with(|p| p.workers.running = Some(1))),
        (&["scaled_to_zero", "max_workers_not_verified"], zero()),
        (
            &["idle_throttled_record", "max_workers_not_verified"],
            with(|p| p.workers.throttled = Some(1)),
        ),
        (
            &["cold_start"],
            queued(|p| p.workers.initializing = Some(1)),
        ),
        (
            &[],
            queued(|p| (p.workers.running, p.jobs.in_progress) = (Some(1), Some(1))),
        ),
    ];
    for (notes_expected, payload) in cases {
        let mut endpoint = Endpoint::new();
        for _ in 0..14 {
            assert_eq!(endpoint.answers(payload), [""; 0], "{notes_expected:?}");
        }
        assert_eq!(notes(&endpoint.history), notes_expected);
    }
    assert_eq!(notes(&History::default()), [""; 0]);
}

/// What lacks one condition of a row: the row that it must not meet, and the answer.
fn near_misses() -> Vec<(&'static str, Payload)> {
    let busy = |p: &mut Payload| {
        p.workers.running = Some(1);
        p.jobs.in_progress = Some(1);
    };
    vec![
        ("workers_crashing", with(|p| p.workers.unhealthy = Some(1))),
        (
            "workers_crashing",
            queued(|p| {
                busy(p);
                p.workers.unhealthy = Some(1);
            }),
        ),
        (
            "capacity_throttled",
            queued(|p| (p.workers.throttled, p.workers.initializing) = (Some(1), Some(1))),
        ),
        (
            "capacity_throttled",
            with(|p| p.workers.throttled = Some(1)),
        ),
        ("no_workers", queued(|p| p.workers.throttled = Some(1))),
        ("no_workers", zero()),
        (
            "cold_start_slow",
            with(|p| p.workers.initializing = Some(1)),
        ),
        (
            "cold_start_slow",
            queued(|p| {
                busy(p);
                p.workers.initializing = Some(1);
            }),
        ),
        ("jobs_not_dispatched", queued(busy)),
        ("jobs_not_dispatched", with(|p| p.workers.running = Some(1))),
        (
            "workers_unhealthy",
            queued(|p| p.workers.unhealthy = Some(1)),
        ),
        (
            "capacity_constrained",
            with(|p| {
                busy(p);
                p.workers.throttled = Some(1);
            }),
        ),
        (
            "capacity_constrained",
            queued(|p| p.workers.throttled = Some(1)),
        ),
    ]
}

#[test]
fn a_row_that_lacks_one_condition_never_fires() {
    for (code, payload) in near_misses() {
        let mut endpoint = Endpoint::new();
        for _ in 0..40 {
            let codes = endpoint.answers(payload);
            assert!(!codes.contains(&code), "{code}: {payload:?}");
        }
    }
}

#[test]
fn several_rows_are_all_listed_in_the_tables_order() {
    let payload = queued(|p| {
        p.workers.unhealthy = Some(1);
        p.workers.throttled = Some(1);
    });
    let mut endpoint = Endpoint::new();
    endpoint.limit = Some(2);
    for _ in 0..4 {
        endpoint.answers(payload);
    }
    assert_eq!(
        endpoint.answers(payload),
        ["workers_crashing", "capacity_throttled", "backlog_growing"]
    );
}

#[test]
fn a_job_that_is_done_shows_that_jobs_are_dispatched() {
    let mut endpoint = Endpoint::new();
    let stuck = |completed| {
        queued(|p| {
            p.workers.running = Some(1);
            p.jobs.completed = Some(completed);
        })
    };
    for _ in 0..10 {
        endpoint.answers(stuck(7));
    }
    assert_eq!(endpoint.answers(stuck(8)), [""; 0]);
    for _ in 0..9 {
        assert_eq!(endpoint.answers(stuck(8)), [""; 0]);
    }
    assert_eq!(endpoint.answers(stuck(8)), ["jobs_not_dispatched"]);
    assert_eq!(
        endpoint.answers(stuck(0)),
        ["jobs_not_dispatched"],
        "a reset is no job"
    );
}

#[test]
fn the_queue_warns_at_once_above_its_limit() {
    let mut endpoint = Endpoint::new();
    let queue = |count| {
        with(|p| {
            p.jobs.in_queue = Some(count);
            p.jobs.in_progress = Some(1);
            p.workers.running = Some(1);
        })
    };
    endpoint.limit = Some(10);
    assert_eq!(endpoint.answers(queue(10)), [""; 0]);
    assert_eq!(endpoint.answers(queue(11)), ["backlog_growing"]);
    endpoint.limit = None;
    assert_eq!(endpoint.answers(queue(1_000)), [""; 0]);
}

/// The codes of an endpoint whose queue takes these lengths, 30 s apart, while `done` jobs end a step.
fn queue_over_time(lengths: impl IntoIterator<Item = u64>, done: u64) -> Vec<Vec<&'static str>> {
    let mut endpoint = Endpoint::new();
    let mut completed = 0;
    lengths
        .into_iter()
        .map(|length| {
            completed += done;
            endpoint.answers(with(|p| {
                p.jobs.in_queue = Some(length);
                p.jobs.in_progress = Some(1);
                p.jobs.completed = Some(completed);
                p.workers.running = Some(1);
            }))
        })
        .collect()
}

#[test]
fn a_queue_that_grows_for_ten_minutes_warns() {
    let steady = queue_over_time(0..=20, 1);
    assert_eq!(
        steady.concat(),
        ["backlog_growing"],
        "at the last step only"
    );
    assert_eq!(steady.last().unwrap(), &["backlog_growing"]);
    let noisy = queue_over_time((0..=20).map(|step| 10 + 2 * step + (step % 2) * 3), 1);
    assert_eq!(noisy.last().unwrap(), &["backlog_growing"]);
    let slow = queue_over_time((0..=20).map(|step| 5 + step / 6), 1);
    assert_eq!(slow.last().unwrap(), &["backlog_growing"]);

    assert_eq!(
        queue_over_time(0..=20, 0).concat(),
        [""; 0],
        "nothing done: other rows' business"
    );
    assert_eq!(
        queue_over_time((0..=40).map(|step| u64::from(step > 10)), 1).concat(),
        [""; 0],
        "a step"
    );
    assert_eq!(
        queue_over_time((0..=40).map(|step| 7 + step % 3), 1).concat(),
        [""; 0],
        "noise"
    );
    assert_eq!(
        queue_over_time((0..=40).rev(), 1).concat(),
        [""; 0],
        "falling"
    );
    assert_eq!(
        queue_over_time((0..=20).map(|step| step + 50 * u64::from(step == 3)), 1).concat(),
        [""; 0],
        "a burst that has passed"
    );
}

/// The codes over time of an endpoint with these changes of (completed, failed, retried) a step of 30 s.
fn jobs_over_time(
    steps: usize,
    completed: u64,
    failed: u64,
    retried: u64,
) -> Vec<Vec<&'static str>> {
    let mut endpoint = Endpoint::new();
    (0..=steps as u64)
        .map(|step| {
            endpoint.answers(with(|p| {
                p.jobs.completed = Some(100 + completed * step);
                p.jobs.failed = Some(50 + failed * step);
                p.jobs.retried = Some(20 + retried * step);
            }))
        })
        .collect()
}

#[test]
fn ratios_warn_over_a_whole_window_only() {
    for (counts, code) in [
        ((3, 1, 0), "job_failure_rate_high"),
        ((4, 0, 1), "job_retries_high"),
    ] {
        let (completed, failed, retried) = counts;
        let codes = jobs_over_time(30, completed, failed, retried);
        assert_eq!(codes[..30].concat(), [""; 0], "{code}");
        assert_eq!(codes[30], [code]);
    }
    assert_eq!(
        jobs_over_time(40, 4, 1, 1).concat(),
        [""; 0],
        "exactly 20 % is not above"
    );
    let all = jobs_over_time(30, 0, 1, 1);
    assert_eq!(all[30], ["job_failure_rate_high", "job_retries_high"]);
}

#[test]
fn a_message_names_the_time_that_its_samples_span() {
    for (step, queue, ratio) in [(30, 10, 15), (400, 13, 20), (1_200, 20, 20)] {
        let mut endpoint = Endpoint::new();
        for count in 0..=40 {
            endpoint.answers_after(
                Duration::from_secs(step),
                with(|p| {
                    p.jobs.in_queue = Some(count);
                    p.jobs.in_progress = Some(1);
                    p.jobs.failed = Some(count * 10);
                    p.jobs.retried = Some(count * 10);
                    p.workers.running = Some(1);
                }),
            );
        }
        let findings = judge(&endpoint.history, None);
        let ends: Vec<String> = findings
            .iter()
            .map(|finding| finding.detail.to_string())
            .collect();
        assert_eq!(ends.len(), 3, "{ends:?}");
        for (detail, end) in ends.iter().zip([
            format!(" {queue} minutes before"),
            format!(" jobs in {ratio} minutes"),
            format!(" jobs in {ratio} minutes"),
        ]) {
            assert!(detail.ends_with(&end), "every {step} s: {detail}: {end}");
        }
    }
}

#[test]
fn a_ratio_needs_ten_jobs() {
    for (jobs, expected) in [(9, false), (10, true)] {
        let mut endpoint = Endpoint::new();
        let mut codes = Vec::new();
        for step in 0..=30 {
            codes = endpoint.answers(with(|p| p.jobs.failed = Some(jobs.min(step))));
        }
        assert_eq!(codes.contains(&"job_failure_rate_high"), expected, "{jobs}");
    }
}

#[test]
fn a_reset_counter_gives_no_ratio_out_of_nothing() {
    let mut endpoint = Endpoint::new();
    for step in 0..=60 {
        let completed = if step < 45 {
            1_000 + 10 * step
        } else {
            10 * (step - 45)
        };
        let codes = endpoint.answers(with(|p| p.jobs.completed = Some(completed)));
        assert_eq!(codes, [""; 0], "{step}");
    }
}

#[test]
fn every_timed_reason_names_its_time() {
    let timed: Vec<&str> = TIMED.iter().map(|(reason, _)| reason.code).collect();
    for row in &ROWS {
        assert!(timed.contains(&row.reason.code));
        let time = TIMED
            .iter()
            .find(|(reason, _)| *reason == row.reason)
            .map(|(_, time)| *time);
        assert_eq!(time, Some(row.least));
    }
    assert!(TIMED.iter().all(|(_, time)| *time <= WINDOW));
}

fn count() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        Just(None),
        (0..4_u64).prop_map(Some),
        (0..50_u64).prop_map(Some),
        Just(Some(1 << 53)),
        Just(Some(u64::MAX)),
    ]
}

fn payload() -> impl Strategy<Value = Payload> {
    let workers = (count(), count(), count(), count(), count(), count()).prop_map(
        |(idle, initializing, ready, running, throttled, unhealthy)| Workers {
            idle,
            initializing,
            ready,
            running,
            throttled,
            unhealthy,
        },
    );
    let jobs = (count(), count(), count(), count(), count()).prop_map(
        |(in_queue, in_progress, completed, failed, retried)| Jobs {
            in_queue,
            in_progress,
            completed,
            failed,
            retried,
        },
    );
    (workers, jobs).prop_map(|(workers, jobs)| Payload { workers, jobs })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any answers at any pace, with any silence: no panic, every reason at most once, and a timed row
    /// only when the newest sample meets it.
    #[test]
    fn judges_anything(
        runs in prop::collection::vec((0..400_000_u64, prop::option::weighted(0.8, payload())), 0..80),
        limit in prop::option::of(0..20_u64),
    ) {
        let mut history = History::default();
        let mut at = Instant::now();
        for (pause, answer) in runs {
            at += Duration::from_millis(pause);
            match answer {
                Some(payload) => history.answered(at, &payload),
                None => history.unanswered(),
            }
            let findings = judge(&history, limit);
            let mut codes: Vec<_> = findings.iter().map(|finding| finding.reason.code).collect();
            codes.sort_unstable();
            codes.dedup();
            prop_assert_eq!(codes.len(), findings.len());
            for row in &ROWS {
                if codes.contains(&row.reason.code) {
                    let newest = history.newest().unwrap();
                    prop_assert_eq!((row.holds)(newest), Some(true));
                }
            }
            prop_assert!(notes(&history).len() <= 2);
        }
    }

    /// Whatever bytes arrive: an answer or a refusal, never a panic.
    #[test]
    fn parses_anything(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = crate::checks::runpod::payload::parse(&body);
    }
}

//! `job_signals`: the signals of the jobs, as a check. Asks nobody: the job room judges them, this looks at its board.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::watch;

use crate::check::{Check, Context, Finding, Outcome, Report};
use crate::detail::{Detail, Label};
use crate::jobs::signals::board::{Board, Reading, State};
use crate::jobs::signals::told::Told;
use crate::reason::{Reason, reasons};

reasons! {
    /// Judged over a window, so it decides at once.
    JOB_FAILURE_RATE_OVER_BUDGET = "job_failure_rate_over_budget", Down,
        "more jobs fail than baseline and error budget allow",
        "list the failed jobs (GET /jobs?status=failed&since=15m) and group them by error code: an input, a model or an upstream that they have in common is the cause";
    /// Over for as long as its window lasts, so it decides at once.
    PROCESSING_LATENCY_OVER_SLO = "processing_latency_over_slo", Down,
        "jobs have taken longer than LATENCY_SLO for a whole SIGNAL_WINDOW",
        "look at the queue and the workers of the model's endpoint at RunPod (cold starts, throttling, a new build of the worker); raise LATENCY_SLO only if the time is what callers were promised";
    /// The room does not judge: the last verdict stands.
    JOB_SIGNALS_UNKNOWN = "job_signals_unknown", Warn,
        "the signals of the jobs have not been judged lately",
        "read the log for what the job store reports, and GET /signals for when they were last judged";
}

/// Looks at the board of the job room.
#[derive(Debug)]
pub struct JobSignalsCheck(Option<watch::Receiver<Arc<Board>>>);

impl JobSignalsCheck {
    /// `board` is the room's; without one, as in `doctor`, nothing is known.
    pub fn new(board: Option<watch::Receiver<Arc<Board>>>) -> Self {
        JobSignalsCheck(board)
    }
}

/// It has metrics of its own, whether or not this check is on.
impl Report for Told {}

impl Check for JobSignalsCheck {
    const NAME: &'static str = "job_signals";
    const REASONS: &'static [&'static Reason] = &[
        &JOB_FAILURE_RATE_OVER_BUDGET,
        &PROCESSING_LATENCY_OVER_SLO,
        &JOB_SIGNALS_UNKNOWN,
    ];
    type Data = Told;

    async fn run(&mut self, cx: &Context) -> Outcome<Told> {
        let Some(board) = &self.0 else {
            let nothing = Detail::new().text("there is no job room here");
            return Outcome::of(Finding::new(&JOB_SIGNALS_UNKNOWN).detail(nothing));
        };
        let board = Arc::clone(&board.borrow());
        judge(&board, cx.clock.now().wall)
    }
}

fn judge(board: &Board, now: OffsetDateTime) -> Outcome<Told> {
    Outcome {
        findings: findings(board, now),
        ..Outcome::pass()
    }
    .with_data(Told::of(board, now))
}

fn findings(board: &Board, now: OffsetDateTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !board.is_current(now) {
        // What was firing is not well because nobody looks any more.
        findings.push(Finding::new(&JOB_SIGNALS_UNKNOWN).detail(age(board, now)));
    }
    if board.failure_rate.state == State::Firing {
        let detail = told(&board.failure_rate, 1000.0, 10, " %");
        findings.push(Finding::new(&JOB_FAILURE_RATE_OVER_BUDGET).detail(detail));
    }
    if board.latency.state == State::Firing {
        let firing = |(_, reading): &&(Label, Reading)| reading.state == State::Firing;
        let models: Vec<_> = board.models.iter().filter(firing).collect();
        let finding = |reading| {
            let detail = told(reading, 10.0, 10, " s");
            Finding::new(&PROCESSING_LATENCY_OVER_SLO).detail(detail)
        };
        match models.as_slice() {
            [] => findings.push(finding(&board.latency)),
            models => findings.extend(
                models
                    .iter()
                    .map(|(model, reading)| finding(reading).about(model.clone())),
            ),
        }
    }
    findings
}

/// `7.5 % of 133 jobs, more than 5.0 %`: value and threshold times `scale`, in whole parts of `parts`.
fn told(reading: &Reading, scale: f64, parts: i64, unit: &'static str) -> Detail {
    let number = |detail: Detail, value: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a value out of range is told as the largest there is"
        )]
        let scaled = (value * scale).round() as i64;
        let detail = detail.number(scaled / parts).text(".");
        detail.number((scaled % parts).abs()).text(unit)
    };
    let detail = number(Detail::new(), reading.value.unwrap_or_default());
    let detail = detail.text(" of ").number(reading.samples);
    number(detail.text(" jobs, more than "), reading.threshold)
}

fn age(board: &Board, now: OffsetDateTime) -> Detail {
    match board.evaluated_at {
        None => Detail::new().text("not once since the start"),
        Some(at) => {
            let seconds = (now - at).whole_seconds().max(0);
            let last = Detail::new().text("the last time ").number(seconds);
            last.text(" s ago")
        }
    }
}

#[cfg(test)]
mod tests;

//! Jobs and signals that are made up.

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::datetime;

use crate::detail::Label;
use crate::jobs::Receipt;
use crate::jobs::event::{Facts, Source, Status};
use crate::jobs::lifecycle::{Job, Verdict};
use crate::jobs::signals::board::{Basis, Board, Reading, State};
use crate::jobs::store::{Record, Trail};

/// When the signals were judged.
pub const EVALUATED: OffsetDateTime = datetime!(2026-11-23 18:06:59.123 UTC);

/// 2026-11-23 18:00:00 UTC.
const BEGAN: i64 = 1_795_456_800_000;

/// A delivery that is kept.
pub fn receipt() -> Receipt {
    Receipt {
        duplicate: false,
        delivery_id: "dlv_01".to_owned(),
        job_id: "job_7".to_owned(),
    }
}

/// A job that went well.
pub fn completed() -> Job {
    Job {
        job_id: "job_6".to_owned(),
        status: Status::Completed,
        facts: Facts {
            error_code: None,
            error_message: None,
            ..failed().facts
        },
        changed_at: BEGAN + 41_250,
        finished_at: Some(BEGAN + 41_250),
        ..failed()
    }
}

/// A job that did not.
pub fn failed() -> Job {
    Job {
        job_id: "job_7".to_owned(),
        status: Status::Failed,
        sources: Source::Webhook.bit(),
        facts: Facts {
            model: Some("hd".to_owned()),
            output_format: Some("webm".to_owned()),
            request_id: Some("req_abc".to_owned()),
            credits: Some("12".to_owned()),
            user_id: Some("user_3".to_owned()),
            error_code: Some("decode_error".to_owned()),
            error_message: Some("the input is no video".to_owned()),
            ..Facts::default()
        },
        created_at: Some(BEGAN),
        started_at: Some(BEGAN + 1_250),
        finished_at: Some(BEGAN + 3_500),
        changed_at: BEGAN + 3_500,
    }
}

fn record(
    verdict: Verdict,
    status: Option<Status>,
    event: &str,
    after: i64,
    number: u32,
) -> Record {
    Record {
        verdict,
        status,
        event: Some(event.to_owned()),
        at: BEGAN + after,
        received_at: BEGAN + after + 80,
        delivery_id: format!("dlv_0{number}"),
        request_id: format!("req_01M852NK0AVM8KD541Z1PKE3V{number}"),
    }
}

/// A job and its events.
pub fn trail() -> Trail {
    let (moved, status) = (Verdict::Moved, Some);
    Trail {
        job: Some(failed()),
        records: vec![
            record(moved, status(Status::Created), "job.created", 0, 1),
            record(moved, status(Status::Processing), "job.started", 1_250, 2),
            record(Verdict::Ignored, None, "job.progress", 2_000, 3),
            record(moved, status(Status::Failed), "job.failed", 3_500, 4),
            record(
                Verdict::Contradiction,
                status(Status::Completed),
                "job.completed",
                3_600,
                5,
            ),
        ],
    }
}

fn reading(state: State, value: f64, threshold: f64, samples: u64) -> Reading {
    Reading {
        state,
        value: Some(value),
        threshold,
        samples,
        since: Some(EVALUATED - Duration::from_secs(2_089)),
    }
}

#[expect(
    clippy::expect_used,
    reason = "lower-case letters are the form of a label"
)]
fn label(name: &'static str) -> Label {
    Label::new(name).expect("a name")
}

/// One model is over its threshold, not yet for long.
pub fn board() -> Board {
    let (calm, slow) = (
        reading(State::Ok, 41.25, 60.0, 88),
        reading(State::Pending, 312.0, 300.0, 41),
    );
    Board {
        evaluated_at: Some(EVALUATED),
        current: true,
        basis: Basis::Webhooks,
        window: Duration::from_mins(15),
        failure_rate: reading(State::Ok, 0.031, 0.05, 133),
        latency: slow.clone(),
        models: vec![(label("hd"), slow), (label("preview"), calm)],
    }
}

/// Nothing is known yet.
pub fn first_board() -> Board {
    let unknown = |threshold| Reading {
        state: State::InsufficientData,
        value: None,
        threshold,
        samples: 0,
        since: None,
    };
    Board {
        evaluated_at: None,
        current: false,
        basis: Basis::RunPodCounters,
        window: Duration::from_mins(15),
        failure_rate: unknown(0.05),
        latency: unknown(300.0),
        models: Vec::new(),
    }
}

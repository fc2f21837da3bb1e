//! Rows as both databases give them, and what they mean.

use sqlx::error::BoxDynError;

use crate::jobs::event::{Facts, Status, Told};
use crate::jobs::lifecycle::{Job, Verdict};
use crate::jobs::signals::board::State;
use crate::jobs::signals::window::{Ended, Slice, rounded};

use super::types::{Kept, Record};

/// In the order of the select lists in [`super::sql`].
pub(super) type JobRow = (
    String,
    i16,
    i16,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    bool,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    i64,
);
pub(super) type RecordRow = (i16, Option<i16>, Option<String>, i64, i64, String, String);
pub(super) type SliceRow = (Option<String>, i16, Option<i64>, i64);
pub(super) type KeptRow = (String, String, i64, Option<i64>, i64);

pub(super) fn job(row: JobRow) -> Result<Job, sqlx::Error> {
    let facts = Facts {
        model: row.3,
        output_format: row.4,
        request_id: row.5,
        credits: row.6,
        user_id: row.7,
        error_code: row.8,
        error_message: row.9,
        execution_ms: row.10,
        cancelled: row.11,
    };
    Ok(Job {
        job_id: row.0,
        status: known(Status::numbered(row.1))?,
        sources: row.2,
        facts,
        created_at: row.12,
        started_at: row.13,
        finished_at: row.14,
        changed_at: row.15,
    })
}

pub(super) fn record(row: RecordRow) -> Result<Record, sqlx::Error> {
    let (verdict, status, event, at, received_at, delivery_id, request_id) = row;
    Ok(Record {
        verdict: known(Verdict::numbered(verdict))?,
        status: status
            .map(|number| known(Status::numbered(number)))
            .transpose()?,
        event,
        at,
        received_at,
        delivery_id,
        request_id,
    })
}

pub(super) fn slice(row: SliceRow) -> Result<Slice, sqlx::Error> {
    let (model, ended, processing_ms, count) = row;
    Ok(Slice {
        model,
        ended: known(Ended::numbered(ended))?,
        processing_ms,
        count: known(u64::try_from(count).ok())?,
    })
}

pub(super) fn kept(row: KeptRow) -> Result<Kept, sqlx::Error> {
    let (name, state, since, over_since, evaluated_at) = row;
    Ok(Kept {
        name,
        state: known(State::named(&state))?,
        since,
        over_since,
        evaluated_at,
    })
}

/// A number or name that no version of this service wrote is damage.
fn known<T>(value: Option<T>) -> Result<T, sqlx::Error> {
    value.ok_or_else(|| sqlx::Error::Decode(BoxDynError::from("not a value of this column")))
}

/// The column `status` of an event.
pub(super) fn status(told: Told) -> Option<i16> {
    match told {
        Told::Reached(status) => Some(status.number()),
        Told::Disagreement | Told::Unknown => None,
    }
}

/// The columns `ended` and `processing_ms` of a job.
pub(super) fn derived(job: &Job) -> (Option<i16>, Option<i64>) {
    let ended = match job.status {
        Status::Completed => Ended::Completed,
        Status::Failed if job.facts.cancelled => Ended::Cancelled,
        Status::Failed => Ended::Failed,
        Status::Created | Status::Processing => return (None, None),
    };
    (Some(ended.number()), job.processing_ms().map(rounded))
}

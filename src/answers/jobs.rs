//! Webhooks, `/jobs` and `/jobs/{job_id}`.

use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use super::health::to_text;
use super::schemas::{Schemas, derived};
use super::{Answer, Body};
use crate::clock::rfc3339;
use crate::jobs::Receipt;
use crate::jobs::event::Status;
use crate::jobs::lifecycle::{Job, Verdict};
use crate::jobs::signals::told::Told;
use crate::jobs::store::{Record, Trail};

/// The names of their schemas.
pub mod names {
    /// Of a webhook.
    pub const RECEIVED: &str = "Received";
    /// Of `/jobs`.
    pub const LIST: &str = "JobList";
    /// Of `/jobs/{job_id}`.
    pub const TRAIL: &str = "JobTrail";
    /// Of `/signals`.
    pub const SIGNALS: &str = "Signals";
}

/// A delivery that is kept.
#[derive(Serialize, ToSchema)]
#[schema(as = Received)]
pub(super) struct ReceivedBody<'a> {
    status: Word,
    /// The sender's id of it; of RunPod's, made of the job's id and status.
    delivery_id: &'a str,
    /// Which job it told of.
    job_id: &'a str,
}

/// What became of a delivery.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReceivedStatus)]
enum Word {
    /// It is kept.
    Accepted,
    /// It was kept already and has had no effect.
    Duplicate,
}

/// A job as far as it was told of.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub(super) struct JobBody<'a> {
    job_id: &'a str,
    /// Where it stands; `null` only in a trail, while nothing that was told has changed the job.
    #[schema(schema_with = statuses)]
    status: Option<&'static str>,
    /// The model that works on it.
    #[schema(required)]
    model: Option<&'a str>,
    /// The format asked for.
    #[schema(required)]
    output_format: Option<&'a str>,
    /// The id of the API request that made it.
    #[schema(required)]
    request_id: Option<&'a str>,
    /// What it costs, as the sender writes it.
    #[schema(required)]
    credits: Option<&'a str>,
    /// Whose it is.
    #[schema(required)]
    user_id: Option<&'a str>,
    /// When it was created, if that was told.
    #[schema(required, format = DateTime)]
    created_at: Option<String>,
    /// When its processing began, if that was told.
    #[schema(required, format = DateTime)]
    started_at: Option<String>,
    /// When it ended.
    #[schema(required, format = DateTime)]
    finished_at: Option<String>,
    /// How long it was worked on: RunPod's own measure, else from its start to its completion; of a completed job.
    #[schema(required, minimum = 0)]
    processing_seconds: Option<f64>,
    /// Of a failure.
    #[schema(required)]
    error: Option<JobError<'a>>,
}

/// Why a job failed, as the sender says.
#[derive(Serialize, ToSchema)]
#[schema(as = JobError)]
struct JobError<'a> {
    /// The machine word.
    #[schema(required)]
    code: Option<&'a str>,
    /// The sentence.
    #[schema(required)]
    message: Option<&'a str>,
}

/// A job and everything that was told of it.
#[derive(Serialize, ToSchema)]
#[schema(as = JobTrail)]
pub(super) struct TrailBody<'a> {
    #[serde(flatten)]
    job: JobBody<'a>,
    /// What moved it, the oldest first.
    transitions: Vec<Transition<'a>>,
    /// What did not, in the order in which it was received.
    anomalies: Vec<Anomaly<'a>>,
}

/// One step in the life of a job.
#[derive(Serialize, ToSchema)]
#[schema(as = JobTransition)]
struct Transition<'a> {
    /// Where the job came.
    #[schema(schema_with = statuses)]
    status: Option<&'static str>,
    /// When it happened, by the sender's clock, and never after it was received.
    #[schema(format = DateTime)]
    at: String,
    /// The event as the sender spelled it.
    #[schema(required)]
    event: Option<&'a str>,
    /// The sender's id of the delivery.
    delivery_id: &'a str,
    /// The request of this service that brought it, as in the log.
    request_id: &'a str,
}

/// An event that did not move its job.
#[derive(Serialize, ToSchema)]
#[schema(as = JobAnomaly)]
struct Anomaly<'a> {
    /// `late`: of the job's past. `repeated`: the job was there. `contradiction`: the job had ended otherwise.
    /// `disagreement`: the event names different things. `ignored`: it means nothing to the lifecycle.
    #[schema(schema_with = kinds)]
    kind: &'static str,
    #[serde(flatten)]
    told: Transition<'a>,
}

/// A page of jobs.
#[derive(Serialize, ToSchema)]
#[schema(as = JobList)]
pub(super) struct ListBody<'a> {
    /// The newest change first.
    jobs: Vec<JobBody<'a>>,
    /// To be sent as `cursor` for the next page; `null` when this is the last one.
    #[schema(required)]
    next_cursor: Option<&'a str>,
}

/// Adds the schemas of all of these, and of `/signals`.
pub(super) fn schemas(all: &mut Schemas) {
    derived::<ReceivedBody<'_>>(all);
    derived::<ListBody<'_>>(all);
    derived::<TrailBody<'_>>(all);
    derived::<Told>(all);
}

/// 200 for what was known already, else `fresh`.
pub fn received(receipt: &Receipt, fresh: StatusCode) -> Answer {
    let (status, word) = if receipt.duplicate {
        (StatusCode::OK, Word::Duplicate)
    } else {
        (fresh, Word::Accepted)
    };
    let body = ReceivedBody {
        status: word,
        delivery_id: &receipt.delivery_id,
        job_id: &receipt.job_id,
    };
    Answer::json(status, Body::Whole(to_text(&body, "{}").into()))
}

/// `/jobs/{job_id}`.
pub fn trail(job_id: &str, trail: &Trail) -> Answer {
    let (moved, others): (Vec<&Record>, Vec<&Record>) = trail
        .records
        .iter()
        .partition(|record| record.verdict == Verdict::Moved);
    let body = TrailBody {
        job: JobBody::of(job_id, trail.job.as_ref()),
        transitions: moved.into_iter().map(Transition::of).collect(),
        anomalies: others.into_iter().map(Anomaly::of).collect(),
    };
    ok(&body)
}

/// `/jobs`: `page` and the cursor to the next one.
pub fn list(page: &[Job], next: Option<&str>) -> Answer {
    let body = ListBody {
        jobs: page
            .iter()
            .map(|job| JobBody::of(&job.job_id, Some(job)))
            .collect(),
        next_cursor: next,
    };
    ok(&body)
}

fn ok(body: &impl Serialize) -> Answer {
    Answer::json(StatusCode::OK, Body::Whole(to_text(body, "{}").into()))
}

impl<'a> JobBody<'a> {
    fn of(job_id: &'a str, job: Option<&'a Job>) -> Self {
        let facts = job.map(|job| &job.facts);
        let error =
            facts.filter(|facts| facts.error_code.is_some() || facts.error_message.is_some());
        JobBody {
            job_id,
            status: job.map(|job| job.status.as_str()),
            model: facts.and_then(|facts| facts.model.as_deref()),
            output_format: facts.and_then(|facts| facts.output_format.as_deref()),
            request_id: facts.and_then(|facts| facts.request_id.as_deref()),
            credits: facts.and_then(|facts| facts.credits.as_deref()),
            user_id: facts.and_then(|facts| facts.user_id.as_deref()),
            created_at: job.and_then(|job| job.created_at).map(moment),
            started_at: job.and_then(|job| job.started_at).map(moment),
            finished_at: job.and_then(|job| job.finished_at).map(moment),
            processing_seconds: job.and_then(Job::processing_ms).map(seconds),
            error: error.map(|facts| JobError {
                code: facts.error_code.as_deref(),
                message: facts.error_message.as_deref(),
            }),
        }
    }
}

impl<'a> Transition<'a> {
    fn of(record: &'a Record) -> Self {
        Transition {
            status: record.status.map(Status::as_str),
            at: moment(record.at),
            event: record.event.as_deref(),
            delivery_id: &record.delivery_id,
            request_id: &record.request_id,
        }
    }
}

impl<'a> Anomaly<'a> {
    fn of(record: &'a Record) -> Self {
        Anomaly {
            kind: record.verdict.as_str(),
            told: Transition::of(record),
        }
    }
}

/// Of milliseconds since 1970. What no calendar has is told as the nearest that it has.
fn moment(millis: i64) -> String {
    let since = Duration::milliseconds(millis);
    rfc3339(OffsetDateTime::UNIX_EPOCH.saturating_add(since))
}

fn seconds(millis: i64) -> f64 {
    Duration::milliseconds(millis).as_seconds_f64()
}

fn statuses() -> Object {
    let known = Status::ALL.map(|status| Value::from(status.as_str()));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(known.into_iter().chain([Value::Null])))
        .build()
}

fn kinds() -> Object {
    let known = [
        Verdict::Repeated,
        Verdict::Late,
        Verdict::Contradiction,
        Verdict::Disagreement,
        Verdict::Ignored,
    ];
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(known.map(Verdict::as_str)))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::examples::jobs as example;

    fn text(answer: Answer) -> Value {
        assert_eq!(answer.status, StatusCode::OK);
        serde_json::from_slice(&answer.body.with_id("")).unwrap()
    }

    #[test]
    fn a_job_is_told_with_what_moved_it_and_what_did_not() {
        let told = trail("job_7", &example::trail());
        insta::assert_json_snapshot!(text(told), @r#"
        {
          "anomalies": [
            {
              "at": "2026-11-23T18:00:02.000Z",
              "delivery_id": "dlv_03",
              "event": "job.progress",
              "kind": "ignored",
              "request_id": "req_01M852NK0AVM8KD541Z1PKE3V3",
              "status": null
            },
            {
              "at": "2026-11-23T18:00:03.600Z",
              "delivery_id": "dlv_05",
              "event": "job.completed",
              "kind": "contradiction",
              "request_id": "req_01M852NK0AVM8KD541Z1PKE3V5",
              "status": "completed"
            }
          ],
          "created_at": "2026-11-23T18:00:00.000Z",
          "credits": "12",
          "error": {
            "code": "decode_error",
            "message": "the input is no video"
          },
          "finished_at": "2026-11-23T18:00:03.500Z",
          "job_id": "job_7",
          "model": "hd",
          "output_format": "webm",
          "processing_seconds": null,
          "request_id": "req_abc",
          "started_at": "2026-11-23T18:00:01.250Z",
          "status": "failed",
          "transitions": [
            {
              "at": "2026-11-23T18:00:00.000Z",
              "delivery_id": "dlv_01",
              "event": "job.created",
              "request_id": "req_01M852NK0AVM8KD541Z1PKE3V1",
              "status": "created"
            },
            {
              "at": "2026-11-23T18:00:01.250Z",
              "delivery_id": "dlv_02",
              "event": "job.started",
              "request_id": "req_01M852NK0AVM8KD541Z1PKE3V2",
              "status": "processing"
            },
            {
              "at": "2026-11-23T18:00:03.500Z",
              "delivery_id": "dlv_04",
              "event": "job.failed",
              "request_id": "req_01M852NK0AVM8KD541Z1PKE3V4",
              "status": "failed"
            }
          ],
          "user_id": "user_3"
        }
        "#);
    }

    #[test]
    fn of_a_job_that_nothing_changed_the_events_are_told() {
        let mut known = example::trail();
        known.job = None;
        known.records.retain(|record| record.status.is_none());
        insta::assert_json_snapshot!(text(trail("job_8", &known)), @r#"
        {
          "anomalies": [
            {
              "at": "2026-11-23T18:00:02.000Z",
              "delivery_id": "dlv_03",
              "event": "job.progress",
              "kind": "ignored",
              "request_id": "req_01M852NK0AVM8KD541Z1PKE3V3",
              "status": null
            }
          ],
          "created_at": null,
          "credits": null,
          "error": null,
          "finished_at": null,
          "job_id": "job_8",
          "model": null,
          "output_format": null,
          "processing_seconds": null,
          "request_id": null,
          "started_at": null,
          "status": null,
          "transitions": [],
          "user_id": null
        }
        "#);
    }

    #[test]
    fn a_list_has_jobs_without_their_events_and_leads_on() {
        let jobs = [example::completed()];
        insta::assert_json_snapshot!(text(list(&jobs, Some("MTIzIGpvYl83"))), @r#"
        {
          "jobs": [
            {
              "created_at": "2026-11-23T18:00:00.000Z",
              "credits": "12",
              "error": null,
              "finished_at": "2026-11-23T18:00:41.250Z",
              "job_id": "job_6",
              "model": "hd",
              "output_format": "webm",
              "processing_seconds": 40.0,
              "request_id": "req_abc",
              "started_at": "2026-11-23T18:00:01.250Z",
              "status": "completed",
              "user_id": "user_3"
            }
          ],
          "next_cursor": "MTIzIGpvYl83"
        }
        "#);
        assert_eq!(
            text(list(&[], None)),
            serde_json::json!({"jobs": [], "next_cursor": null})
        );
    }

    #[test]
    fn a_delivery_is_fresh_or_a_duplicate() {
        let mut receipt = example::receipt();
        let of = |receipt: &Receipt| received(receipt, StatusCode::ACCEPTED);
        assert_eq!(of(&receipt).status, StatusCode::ACCEPTED);
        receipt.duplicate = true;
        assert_eq!(
            text(of(&receipt)),
            serde_json::json!({"status": "duplicate", "delivery_id": "dlv_01", "job_id": "job_7"})
        );
    }

    #[test]
    fn a_moment_that_no_calendar_has_is_no_panic() {
        for millis in [i64::MIN, i64::MAX] {
            assert!(moment(millis).ends_with('Z'), "{millis}");
        }
        assert_eq!(moment(-1), "1969-12-31T23:59:59.999Z");
    }
}

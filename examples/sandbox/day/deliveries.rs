//! What a sender delivers of a day's jobs: in order mostly, now and then late, again, or again under
//! another id. A pure function of jobs and a seed.

use std::time::Duration;

use fastrand::Rng;
use serde_json::json;

use super::jobs::Job;

/// One in so many jobs tells of its start only after its end…
const OUT_OF_ORDER: u32 = 50;
/// …or never.
const UNTOLD: u32 = 200;
/// One in so many deliveries comes again with the same id, as if its answer had been lost…
const RETRIED: u32 = 40;
/// …or under another id, as if it had been replayed.
const REPLAYED: u32 = 60;

/// One delivery. Times are since midnight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delivery {
    /// When it is sent.
    pub(crate) sent: Duration,
    /// When what it tells happened: its timestamp, of which it is never ahead.
    pub(crate) told: Duration,
    pub(crate) id: String,
    pub(crate) job_id: String,
    pub(crate) event: Event,
    pub(crate) body: String,
    /// Whether an earlier one told the same: it must have no effect.
    pub(crate) again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Started,
    Completed,
    Failed,
}

impl Event {
    /// For `X-Webhook-Event`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Event::Started => "job.started",
            Event::Completed => "job.completed",
            Event::Failed => "job.failed",
        }
    }

    fn status(self) -> &'static str {
        match self {
            Event::Started => "processing",
            Event::Completed => "completed",
            Event::Failed => "failed",
        }
    }
}

/// The id of a job on the `day`-th day that is played.
fn job_id(day: u32, job: &Job) -> String {
    format!("job_{day}_{:05}", job.number)
}

/// All deliveries in the order in which they are sent.
pub(crate) fn of(jobs: &[Job], day: u32, seed: u64) -> Vec<Delivery> {
    let mut rng = Rng::with_seed(seed);
    let mut deliveries = Vec::new();
    for job in jobs {
        let end = if job.failure.is_some() {
            Event::Failed
        } else {
            Event::Completed
        };
        // On its way for up to 10 s of the day.
        let sent = job.ended + seconds(&mut rng, 0, 10);
        tell(
            &mut deliveries,
            &mut rng,
            (job, day),
            end,
            (sent, job.ended),
        );
        if one_in(&mut rng, UNTOLD) {
            continue;
        }
        let sent = if one_in(&mut rng, OUT_OF_ORDER) {
            job.ended + seconds(&mut rng, 60, 120)
        } else {
            job.started + seconds(&mut rng, 0, 10)
        };
        let times = (sent, job.started);
        tell(&mut deliveries, &mut rng, (job, day), Event::Started, times);
    }
    deliveries.sort_by_key(|delivery| delivery.sent);
    deliveries
}

/// Adds one delivery, and those that repeat it.
fn tell(
    deliveries: &mut Vec<Delivery>,
    rng: &mut Rng,
    (job, day): (&Job, u32),
    event: Event,
    (sent, told): (Duration, Duration),
) {
    let first = Delivery {
        sent,
        told,
        id: format!("dlv_{day}_{:05}_{}", job.number, event.status()),
        job_id: job_id(day, job),
        event,
        body: body(job, day, event),
        again: false,
    };
    if one_in(rng, RETRIED) {
        deliveries.push(Delivery {
            sent: sent + seconds(rng, 60, 600),
            again: true,
            ..first.clone()
        });
    }
    if one_in(rng, REPLAYED) {
        deliveries.push(Delivery {
            sent: sent + seconds(rng, 60, 600),
            id: format!("{}_replayed", first.id),
            again: true,
            ..first.clone()
        });
    }
    deliveries.push(first);
}

fn body(job: &Job, day: u32, event: Event) -> String {
    let id = job_id(day, job);
    let mut body = json!({
        "job_id": id,
        "status": event.status(),
        "model": job.model,
        "output_format": "webm",
        "request_id": format!("req_{day}_{:05}", job.number),
        "credits": 1,
        "user_id": format!("usr_{}", job.number % 17),
    });
    if event == Event::Completed {
        body["output_url"] = format!("https://videos.invalid/{id}.webm?X-Amz-Expires=3600").into();
    }
    if let (Event::Failed, Some(failure)) = (event, job.failure) {
        body["error"] = json!({"code": failure.code, "message": failure.message});
    }
    body.to_string()
}

fn one_in(rng: &mut Rng, count: u32) -> bool {
    rng.u32(0..count) == 0
}

fn seconds(rng: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(rng.u64(from * 1000..to * 1000))
}

//! Jobs as they were over some time, for a store to keep: drawn from a seed, three events each.

use bytes::Bytes;
use infra_health::jobs::event::{Delivery, Facts, Source, Status, Told};

/// Events of a job.
pub const EVENTS: u64 = 3;
/// Milliseconds from one job's creation to the next's: 500 events a second.
pub const SPACING_MS: i64 = 6;
/// When the first job is created, milliseconds since 1970.
pub const BEGIN_MS: i64 = 1_790_000_000_000;
/// One of so many jobs fails.
const FAILS: u64 = 50;
const MODELS: [&str; 8] = [
    "matte-fast",
    "matte-fine",
    "matte-xl",
    "upscale-2x",
    "upscale-4x",
    "hair-detail",
    "greenscreen",
    "preview",
];

/// The id of a job.
pub fn job_id(job: u64) -> String {
    format!("job-{job:012}")
}

/// The deliveries of one job, in order.
pub fn job(job: u64, processing_ms: i64) -> [Delivery; 3] {
    let created = BEGIN_MS + i64::try_from(job).unwrap_or(i64::MAX / 2) * SPACING_MS;
    let started = created + 500;
    let last = if job % FAILS == 7 {
        Status::Failed
    } else {
        Status::Completed
    };
    [
        delivery(job, 0, Status::Created, created),
        delivery(job, 1, Status::Processing, started),
        delivery(job, 2, last, started + processing_ms),
    ]
}

fn delivery(job: u64, event: u64, status: Status, at: i64) -> Delivery {
    let number = job * EVENTS + event;
    let job_id = job_id(job);
    let mut digest = [0xd1; 32];
    // As scattered as a hash is, which is what an index of them is slow with.
    digest[..8].copy_from_slice(&scatter(number).to_be_bytes());
    digest[8..16].copy_from_slice(&number.to_be_bytes());
    let model = MODELS[usize::try_from(job).unwrap_or(0) % MODELS.len()];
    let failed = status == Status::Failed;
    let body = format!(
        r#"{{"event":"job.{}","data":{{"job_id":"{job_id}","request_id":"req_{job:026}","model":"{model}","output_format":"webm","credits":12,"user_id":"user_{:08}","input_url":"https://cdn.example.com/in/{job}.mp4"}}}}"#,
        status.as_str(),
        job % 1000
    );
    Delivery {
        source: Source::Webhook,
        delivery_id: format!("{:016x}-{number}", scatter(number ^ 0x5555)),
        digest,
        received_at: at + 20,
        at,
        told: Told::Reached(status),
        event: Some(format!("job.{}", status.as_str())),
        job_id,
        facts: Facts {
            model: Some(model.to_owned()),
            output_format: Some("webm".to_owned()),
            request_id: Some(format!("req_{job:026}")),
            credits: Some("12".to_owned()),
            user_id: Some(format!("user_{:08}", job % 1000)),
            error_code: failed.then(|| "OUT_OF_MEMORY".to_owned()),
            error_message: failed.then(|| "the worker gave up".to_owned()),
            ..Facts::default()
        },
        request_id: format!("req_{number:026}"),
        signature: Some(digest),
        body: Bytes::from(body),
    }
}

/// A job as RunPod tells of it once it is through: one event, with its own measure of the work.
pub fn measured(job: u64, execution_ms: i64) -> Delivery {
    let mut told = delivery(job, 2, Status::Completed, BEGIN_MS + 1);
    told.source = Source::RunPod;
    told.signature = None;
    told.facts.model = Some(MODELS[0].to_owned());
    told.facts.execution_ms = Some(execution_ms);
    told
}

/// Durations as they are met: most alike, some very long; milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "some minutes in milliseconds, of 52 random bits"
)]
pub fn duration(number: u64) -> i64 {
    let uniform = |salt: u64| (scatter(number ^ salt) >> 12) as f64 / (1_u64 << 52) as f64;
    // Normal by Box and Muller; its exponential around 40 s.
    let (radius, angle) = (uniform(0xa5a5), uniform(0x5a5a));
    let normal = (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos();
    (40_000.0 * (0.8 * normal).exp()) as i64
}

/// SplitMix64.
pub fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

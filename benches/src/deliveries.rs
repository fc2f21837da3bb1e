//! Webhooks of jobs, signed as the video API signs them: each event of its own, three to a job.

use std::io::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::requests::Requests;

/// What the service is given to verify them.
pub const SECRET: &str = "a-webhook-secret-for-benchmarks";
/// Jobs that are under way at a time: a job's events are so many deliveries apart.
const AT_A_TIME: u64 = 64;
const EVENTS: [&str; 3] = ["job.created", "job.started", "job.completed"];
const MODELS: [&str; 4] = ["matte-fast", "matte-fine", "upscale-2x", "hair-detail"];

/// An endless run of deliveries, none like another; `run` makes those of one process differ from those of another.
pub fn deliveries(run: u32) -> Requests {
    let mut number = 0;
    Requests::each(202, move |out| {
        let body = body(run, number);
        let now = OffsetDateTime::now_utc();
        // Cannot fail: the year has four digits.
        let timestamp = now.format(&Rfc3339).unwrap_or_default();
        let signature = sign(timestamp.as_bytes(), body.as_bytes());
        let event = EVENTS[of_job(number).1];
        // Ids of one length, so that all answers have one, too. Writing to a vector cannot fail.
        let _ = write!(
            out,
            "POST /webhooks/jobs HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\ncontent-type: application/json\r\n\
             x-webhook-event: {event}\r\nx-webhook-delivery-id: d-{run:08}-{number:012}\r\nx-webhook-timestamp: {timestamp}\r\n\
             x-webhook-signature: sha256={signature}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        number += 1;
    })
}

/// Which job the delivery is of, and which of its events it tells.
fn of_job(number: u64) -> (u64, usize) {
    let events = EVENTS.len() as u64;
    let (block, within) = (number / (AT_A_TIME * events), number % (AT_A_TIME * events));
    let event = usize::try_from(within / AT_A_TIME).unwrap_or(0);
    (block * AT_A_TIME + within % AT_A_TIME, event)
}

fn body(run: u32, number: u64) -> String {
    let (job, event) = of_job(number);
    let model = MODELS[usize::try_from(job).unwrap_or(0) % MODELS.len()];
    let event = EVENTS[event];
    format!(
        r#"{{"event":"{event}","data":{{"job_id":"job-{run:08}-{job:012}","request_id":"req_{job:026}","model":"{model}","output_format":"webm","credits":12,"user_id":"user_{:08}","input_url":"https://cdn.example.com/in/{job}.mp4"}}}}"#,
        job % 1000
    )
}

fn sign(timestamp: &[u8], body: &[u8]) -> String {
    // Cannot fail: HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else {
        return String::new();
    };
    mac.update(timestamp);
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_its_three_events_in_order_and_others_between() {
        let of_the_fifth = |number: &u64| of_job(*number).0 == AT_A_TIME + 5;
        let numbers: Vec<_> = (0..AT_A_TIME * 9).filter(of_the_fifth).collect();
        let events: Vec<_> = numbers.iter().map(|number| of_job(*number).1).collect();
        assert_eq!(events, [0, 1, 2]);
        assert_eq!(numbers[1] - numbers[0], AT_A_TIME);
    }

    #[test]
    fn signs_as_others_do() {
        // printf '2026-01-01T00:00:00Z.{}' | openssl dgst -sha256 -hmac a-webhook-secret-for-benchmarks
        let signature = sign(b"2026-01-01T00:00:00Z", b"{}");
        assert_eq!(
            signature,
            "cd13b9a6830c60fad63aba1ac704829e5acc9b8a9374bfc5ead40ccb893b51b9"
        );
    }
}

//! The job room's made-up secrets, and what to try with them.

use std::fmt::Write as _;
use std::path::Path;

use crate::API_KEY;

/// Signs the day's deliveries; good for this service only.
pub(crate) const SECRET: &str = "sandbox-webhook-secret";
/// Stands in the URL that RunPod would be given; good for this service only.
const RUNPOD_TOKEN: &str = "sandbox-runpod-webhook-token-0123456789";

/// The database goes with `folder`.
pub(crate) fn variables(folder: &Path) -> Vec<(&'static str, String)> {
    let database = folder.join("jobs.db");
    vec![
        ("JOB_WEBHOOK_SECRET", SECRET.to_owned()),
        ("RUNPOD_WEBHOOK_TOKEN", RUNPOD_TOKEN.to_owned()),
        (
            "JOBS_DATABASE_URL",
            format!("sqlite://{}", database.display()),
        ),
    ]
}

/// Commands to copy, in the order in which they make sense.
pub(crate) fn tries(url: &str) -> String {
    let key = format!("-H 'X-Api-Key: {API_KEY}'");
    let body = r#"{"job_id":"job_by_hand","status":"failed","model":"matting-hd","error":{"code":"invalid_video","message":"no frames"}}"#;
    let steps = [
        (
            "a webhook, signed by hand: 202, and with its last line once more 200, duplicate",
            format!(
                "ts=$(date -u +%Y-%m-%dT%H:%M:%SZ)\n\
                 \x20 body='{body}'\n\
                 \x20 signature=$(printf '%s.%s' \"$ts\" \"$body\" | openssl dgst -sha256 -hmac {SECRET} | sed 's/.* //')\n\
                 \x20 curl -i -H 'Content-Type: application/json' -H 'X-Webhook-Event: job.failed' -H 'X-Webhook-Delivery-Id: by-hand-1' \
                 -H \"X-Webhook-Timestamp: $ts\" -H \"X-Webhook-Signature: sha256=$signature\" -d \"$body\" {url}/webhooks/jobs"
            ),
        ),
        (
            "that job, with its transitions",
            format!("curl -s {key} {url}/jobs/job_by_hand"),
        ),
        (
            "jobs that failed, the last one first",
            format!("curl -s {key} '{url}/jobs?status=failed'"),
        ),
        (
            "failure rate and p95 of the latency, against their thresholds",
            format!("curl -s {key} {url}/signals"),
        ),
        (
            "RunPod's own webhook: no signature, a token in its URL",
            format!(
                "curl -i -H 'Content-Type: application/json' -d '{{\"id\":\"by-hand-u1\",\"status\":\"COMPLETED\",\"delayTime\":900,\"executionTime\":42000}}' \
                 {url}/webhooks/runpod/{RUNPOD_TOKEN}"
            ),
        ),
    ];
    let mut text = String::new();
    for (what, command) in steps {
        let _ = writeln!(text, "  # {what}\n  {command}");
    }
    text
}

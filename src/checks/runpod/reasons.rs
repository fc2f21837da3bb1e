//! What can be wrong with a RunPod endpoint, besides the common reasons.

use crate::reason::{BLOCKED_BY_WAF, Reason, reasons};

reasons! {
    /// B2: 401.
    UNAUTHORIZED = "unauthorized", Refuted,
        "RunPod rejects the API key",
        "create a new key in the RunPod console under Settings, API Keys, and set RUNPOD_API_KEY to it: it was revoked, mistyped or belongs elsewhere";
    /// B4: 403 that is RunPod's own.
    FORBIDDEN = "forbidden", Refuted,
        "the API key may not use this endpoint",
        "edit the key in the RunPod console and give it read/write access to this endpoint, or use a key that has it";
    /// B1: 404. RunPod looks for the endpoint before it looks at the key.
    ENDPOINT_NOT_FOUND = "endpoint_not_found", Refuted,
        "RunPod knows no endpoint with this id",
        "compare RUNPOD_ENDPOINT_ID with the id (not the name, not the template) on the endpoint's page in the RunPod console; it may have been deleted";
    /// C3.
    WORKERS_CRASHING = "workers_crashing", Down,
        "jobs wait, no worker is up and workers crash",
        "read the worker logs in the RunPod console and roll the image back; this is not a lack of capacity";
    /// C4.
    CAPACITY_THROTTLED = "capacity_throttled", Down,
        "jobs wait and RunPod has no capacity for a worker",
        "allow more GPU types and more data centres in the endpoint's settings; a pinned data centre or network volume is the usual cause";
    /// C5.
    NO_WORKERS = "no_workers", Down,
        "jobs wait and there is no worker in any state",
        "raise max workers in the endpoint's settings: RunPod sets it to 0 after 7 days without a request and it stays there; if it is above 0, widen the GPU types";
    /// C7.
    JOBS_NOT_DISPATCHED = "jobs_not_dispatched", Down,
        "workers are up, jobs wait, and none is taken",
        "update the worker image and the RunPod SDK in it, then restart the workers: they run but do not fetch jobs";
    /// C6, once it has taken too long.
    COLD_START_SLOW = "cold_start_slow", Warn,
        "jobs wait and the first worker takes long to start",
        "read the worker's start log: a large image or model is being loaded; raise RUNPOD_INIT_TIMEOUT on the endpoint if it needs over 7 minutes, or keep one worker active";
    /// C8.
    WORKERS_UNHEALTHY = "workers_unhealthy", Warn,
        "some workers crash",
        "read the worker logs in the RunPod console; this is not a lack of capacity, and repeated crashes make RunPod scale the endpoint down";
    /// C9.
    CAPACITY_CONSTRAINED = "capacity_constrained", Warn,
        "jobs wait and RunPod has no capacity for more workers",
        "allow more GPU types and more data centres in the endpoint's settings";
    /// C10.
    BACKLOG_GROWING = "backlog_growing", Warn,
        "jobs arrive faster than they are done",
        "raise max workers in the endpoint's settings, or find out who sends so much";
    /// C11.
    JOB_FAILURE_RATE_HIGH = "job_failure_rate_high", Warn,
        "many jobs fail",
        "read the failed jobs' errors and the worker logs; compare with the last deployment and with what callers send";
    /// C12.
    JOB_RETRIES_HIGH = "job_retries_high", Warn,
        "many jobs need a second attempt",
        "read the worker logs for crashes and lost workers: memory, GPU faults, execution timeout";
}

/// What the check can report besides [`crate::reason::COMMON`].
pub static ALL: &[&Reason] = &[
    &UNAUTHORIZED,
    &FORBIDDEN,
    &ENDPOINT_NOT_FOUND,
    &BLOCKED_BY_WAF,
    &WORKERS_CRASHING,
    &CAPACITY_THROTTLED,
    &NO_WORKERS,
    &JOBS_NOT_DISPATCHED,
    &COLD_START_SLOW,
    &WORKERS_UNHEALTHY,
    &CAPACITY_CONSTRAINED,
    &BACKLOG_GROWING,
    &JOB_FAILURE_RATE_HIGH,
    &JOB_RETRIES_HIGH,
];

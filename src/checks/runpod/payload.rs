//! The body of `GET {base}/{id}/health`: tolerant of what RunPod adds or leaves out, strict about nonsense.
//!
//! The documentation shows two worker counts, the live answer has six, some clients also accept
//! `in_queue` for `inQueue` (sources: RunPod's docs, operation reference; the strict model
//! of its `flash` client; captured answers). So every count is optional, unknown members are ignored, and a missing count is not 0.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::detail::Detail;

/// Counts above 2^53 are not whole numbers to every reader of JSON; no endpoint has that many jobs.
const LARGEST: u64 = 1 << 53;

/// What one answer tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Payload {
    /// Workers by state.
    pub workers: Workers,
    /// Jobs by state; load-balancing endpoints may have none.
    pub jobs: Jobs,
}

/// Workers by state. `idle` and `ready` count the same workers: never add them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RunPodWorkers)]
pub struct Workers {
    /// Able to take a job.
    #[schema(required)]
    pub idle: Option<u64>,
    /// Pulling the image, loading code or model.
    #[schema(required)]
    pub initializing: Option<u64>,
    /// Able to take a job (the same workers as `idle`).
    #[schema(required)]
    pub ready: Option<u64>,
    /// Container up and billed, with or without a job.
    #[schema(required)]
    pub running: Option<u64>,
    /// Wanted, but the pool has no capacity. A lone leftover record is no fault.
    #[schema(required)]
    pub throttled: Option<u64>,
    /// Crashed, retried by the provider for up to 7 days.
    #[schema(required)]
    pub unhealthy: Option<u64>,
}

/// Jobs by state: two gauges, then three cumulative counters that leave out cancelled jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RunPodJobs)]
pub struct Jobs {
    /// Waiting now.
    #[schema(required)]
    pub in_queue: Option<u64>,
    /// Being worked on now.
    #[schema(required)]
    pub in_progress: Option<u64>,
    /// Counter of jobs that ended well.
    #[schema(required)]
    pub completed: Option<u64>,
    /// Counter of jobs that ended badly.
    #[schema(required)]
    pub failed: Option<u64>,
    /// Counter of second attempts.
    #[schema(required)]
    pub retried: Option<u64>,
}

impl Workers {
    /// Workers that can take a job at once: the larger of `idle` and `ready`.
    pub fn available(&self) -> Option<u64> {
        self.idle.max(self.ready)
    }

    /// Workers that are up, with or without a job.
    pub fn up(&self) -> Option<u64> {
        Some(self.available()?.saturating_add(self.running?))
    }

    /// Whether all six counts are there and 0.
    pub fn none(&self) -> bool {
        [
            self.idle,
            self.initializing,
            self.ready,
            self.running,
            self.throttled,
            self.unhealthy,
        ]
        .iter()
        .all(|count| *count == Some(0))
    }
}

impl Jobs {
    /// Jobs that ended, well or badly.
    pub fn done(&self) -> Option<u64> {
        Some(self.completed?.saturating_add(self.failed?))
    }
}

/// Reads a body.
///
/// # Errors
/// What is wrong, in words of our own: not JSON, no `workers` object, or a count that is not a whole
/// number between 0 and 2^53.
pub fn parse(body: &[u8]) -> Result<Payload, Detail> {
    let Ok(Value::Object(top)) = serde_json::from_slice(body) else {
        return Err(Detail::new().text("the body is not a JSON object"));
    };
    let Some(Value::Object(workers)) = top.get("workers") else {
        return Err(Detail::new().text("the body has no `workers` object"));
    };
    let none = Map::new();
    let jobs = match top.get("jobs") {
        Some(Value::Object(jobs)) => jobs,
        None | Some(Value::Null) => &none,
        Some(_) => return Err(Detail::new().text("`jobs` is not an object")),
    };
    Ok(Payload {
        workers: Workers {
            idle: count(workers, &["idle"])?,
            initializing: count(workers, &["initializing"])?,
            ready: count(workers, &["ready"])?,
            running: count(workers, &["running"])?,
            throttled: count(workers, &["throttled"])?,
            unhealthy: count(workers, &["unhealthy"])?,
        },
        jobs: Jobs {
            in_queue: count(jobs, &["inQueue", "in_queue"])?,
            in_progress: count(jobs, &["inProgress", "in_progress"])?,
            completed: count(jobs, &["completed"])?,
            failed: count(jobs, &["failed"])?,
            retried: count(jobs, &["retried"])?,
        },
    })
}

/// The count under the first of `names` that is there. Read from a map, not derived: serde would take
/// an array for a struct.
fn count(object: &Map<String, Value>, names: &[&'static str]) -> Result<Option<u64>, Detail> {
    for name in names {
        match object.get(*name) {
            None | Some(Value::Null) => {}
            Some(value) => {
                return match value.as_u64() {
                    Some(number) if number <= LARGEST => Ok(Some(number)),
                    _ => Err(Detail::new().text("`").text(name).text("` is not a count")),
                };
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(body: &str) -> Payload {
        parse(body.as_bytes()).unwrap_or_else(|wrong| panic!("{body}: {wrong}"))
    }

    #[test]
    fn reads_the_live_form() {
        let payload = ok(
            r#"{"jobs":{"completed":31,"failed":1,"inProgress":2,"inQueue":3,"retried":4},
                "workers":{"idle":5,"initializing":6,"ready":7,"running":8,"throttled":9,"unhealthy":10}}"#,
        );
        assert_eq!(payload.jobs.done(), Some(32));
        assert_eq!(payload.jobs.in_progress, Some(2));
        assert_eq!(payload.jobs.in_queue, Some(3));
        assert_eq!(payload.jobs.retried, Some(4));
        assert_eq!(
            payload.workers.available(),
            Some(7),
            "idle and ready are never added"
        );
        assert_eq!(payload.workers.up(), Some(15));
        assert_eq!(payload.workers.unhealthy, Some(10));
    }

    #[test]
    fn reads_the_documented_two_field_form_and_missing_is_not_zero() {
        let payload = ok(r#"{"workers":{"idle":1,"running":0}}"#);
        assert_eq!(payload.workers.up(), Some(1));
        assert_eq!(payload.workers.throttled, None);
        assert_eq!(payload.jobs, Jobs::default());
        assert!(!payload.workers.none());
    }

    #[test]
    fn unknown_members_null_and_snake_case_are_fine() {
        let payload = ok(
            r#"{"workers":{"idle":null,"new":"x"},"jobs":{"in_queue":2,"in_progress":1},"extra":[{}]}"#,
        );
        assert_eq!(payload.jobs.in_queue, Some(2));
        assert_eq!(payload.jobs.in_progress, Some(1));
        assert_eq!(payload.workers, Workers::default());
        assert_eq!(ok(r#"{"workers":{},"jobs":null}"#), Payload::default());
        assert_eq!(
            ok(r#"{"workers":{"idle":9007199254740992}}"#).workers.idle,
            Some(LARGEST)
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for body in [
            "",
            "null",
            "[]",
            "ok",
            "<html></html>",
            "{}",
            r#"{"jobs":{"inQueue":0}}"#,
            r#"{"workers":null}"#,
            r#"{"workers":[]}"#,
            r#"{"workers":[1,2,3,4,5,6]}"#,
            r#"{"workers":3}"#,
            r#"{"workers":{"idle":-1}}"#,
            r#"{"workers":{"idle":1.0}}"#,
            r#"{"workers":{"idle":1.5}}"#,
            r#"{"workers":{"idle":"1"}}"#,
            r#"{"workers":{"idle":true}}"#,
            r#"{"workers":{"idle":{}}}"#,
            r#"{"workers":{"idle":9007199254740993}}"#,
            r#"{"workers":{"idle":99999999999999999999999}}"#,
            r#"{"workers":{"idle":1e400}}"#,
            r#"{"workers":{"idle":1},"jobs":[]}"#,
            r#"{"workers":{"idle":1},"jobs":{"in_queue":-3}}"#,
            r#"{"workers":{"idle":1}"#,
            r#"{"workers":{"idle":1}} trailing"#,
            &deep,
        ] {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
        assert!(parse(b"\xff\xfe").is_err());
    }

    #[test]
    fn the_error_names_the_member_and_never_the_value() {
        let wrong = parse(br#"{"workers":{"idle":"rpa_secret"}}"#).unwrap_err();
        assert_eq!(wrong.to_string(), "`idle` is not a count");
    }
}

//! What goes into the store and comes out of it.

use std::time::Duration;

use crate::jobs::event::Status;
use crate::jobs::lifecycle::{Job, Verdict};
use crate::jobs::signals::board::State;

/// What became of a delivery that was written.
#[derive(Clone)]
pub enum Stored {
    /// Its id or its digest was seen before: nothing was changed.
    Duplicate,
    /// It is kept.
    Recorded {
        /// What the event was to the job.
        verdict: Verdict,
        /// The job before; `None` if it was not known.
        before: Option<Box<Job>>,
        /// The job afterwards; `None` if still nothing is known of it.
        job: Option<Box<Job>>,
    },
}

/// One event of a job's trail.
#[derive(Clone, PartialEq)]
pub struct Record {
    /// What it was to the job.
    pub verdict: Verdict,
    /// The status that it named; `None` for a disagreement or an unknown event.
    pub status: Option<Status>,
    /// The event as the sender spelled it.
    pub event: Option<String>,
    /// When it happened, milliseconds since 1970.
    pub at: i64,
    /// When it came, milliseconds since 1970.
    pub received_at: i64,
    /// The sender's id of the delivery.
    pub delivery_id: String,
    /// The request of this service that brought it.
    pub request_id: String,
}

/// A job and all that was told of it, oldest first.
#[derive(Clone, PartialEq)]
pub struct Trail {
    /// The job; `None` if all that was told changed none.
    pub job: Option<Job>,
    /// Its events in the order in which they were stored.
    pub records: Vec<Record>,
}

/// Which jobs to list, newest change first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only those that stand there.
    pub status: Option<Status>,
    /// Only those that changed then or later, milliseconds since 1970.
    pub since: Option<i64>,
    /// Only those after this one in the order of the list: its `changed_at` and `job_id`.
    pub after: Option<(i64, String)>,
    /// How many at most.
    pub limit: u32,
}

/// What is kept of a signal from one evaluation to the next, over restarts and for all replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// `job_failure_rate`, or `processing_latency_p95/<model>`.
    pub name: String,
    /// Its state.
    pub state: State,
    /// When it came into it, milliseconds since 1970.
    pub since: i64,
    /// Since when it has been over its threshold without a pause.
    pub over_since: Option<i64>,
    /// When it was judged.
    pub evaluated_at: i64,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How old what is kept may become.
    pub retention: Duration,
    /// How many bytes all of it may take.
    pub max_bytes: u64,
    /// How long ids and digests of deliveries are needed whatever the size: until a replay of them is refused for
    /// its age.
    pub dedupe: Duration,
}

/// What one small step of pruning took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Bodies, of events that stay.
    pub bodies: u64,
    /// Events, and with a job's last one the job.
    pub events: u64,
    /// Whether there is more to prune.
    pub more: bool,
}

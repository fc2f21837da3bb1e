//! What the signals are judged from: the jobs that ended in a window, counted by kind.

use crate::jobs::event::Status;
use crate::jobs::lifecycle::Job;

/// How a job ended, for the failure rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ended {
    /// Well.
    Completed,
    /// Badly.
    Failed,
    /// By somebody's wish: counts for nothing.
    Cancelled,
}

impl Ended {
    const ALL: [Ended; 3] = [Ended::Completed, Ended::Failed, Ended::Cancelled];

    /// How a job ended; `None` while it has not.
    pub fn of(job: &Job) -> Option<Self> {
        match job.status {
            Status::Created | Status::Processing => None,
            Status::Completed => Some(Ended::Completed),
            Status::Failed if job.facts.cancelled => Some(Ended::Cancelled),
            Status::Failed => Some(Ended::Failed),
        }
    }

    /// As the store keeps it.
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// The end that the store keeps under `number`.
    pub fn numbered(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|ended| ended.number() == number)
    }
}

/// Jobs of a window that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Their model, as it was told.
    pub model: Option<String>,
    /// How they ended.
    pub ended: Ended,
    /// How long they were worked on, by [`rounded`]; `None` where that is not known.
    pub processing_ms: Option<i64>,
    /// How many.
    pub count: u64,
}

/// Milliseconds to three significant digits, half up: at most 0.5 % off, so that alike jobs can be counted together.
pub fn rounded(ms: i64) -> i64 {
    let mut step = 1;
    while ms / step >= 1000 {
        step *= 10;
    }
    ms.saturating_add(step / 2) / step * step
}

#[cfg(test)]
mod tests;

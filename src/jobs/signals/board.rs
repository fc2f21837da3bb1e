//! What is known of the signals at one moment: what `/signals`, the metrics, the status page and the check show.

use std::time::Duration;

use time::OffsetDateTime;

use crate::detail::Label;

/// The state of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Too few jobs to say.
    InsufficientData,
    /// Within its threshold.
    Ok,
    /// Over its threshold, not yet for long enough.
    Pending,
    /// Over its threshold for long enough.
    Firing,
}

impl State {
    /// All of them.
    pub const ALL: [State; 4] = [
        State::Ok,
        State::InsufficientData,
        State::Pending,
        State::Firing,
    ];

    /// As answers, metrics and the store name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::InsufficientData => "insufficient_data",
            State::Ok => "ok",
            State::Pending => "pending",
            State::Firing => "firing",
        }
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// One signal, as it was last judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Its state.
    pub state: State,
    /// The ratio or the seconds; `None` without a single sample.
    pub value: Option<f64>,
    /// What it must not exceed, in the same unit.
    pub threshold: f64,
    /// The jobs that it was judged from.
    pub samples: u64,
    /// When it came into this state; `None` before it was first judged.
    pub since: Option<OffsetDateTime>,
}

/// Where the failure rate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Jobs that webhooks told of.
    Webhooks,
    /// The deltas of RunPod's own counters.
    RunPodCounters,
}

impl Basis {
    /// As answers name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Basis::Webhooks => "webhooks",
            Basis::RunPodCounters => "runpod_counters",
        }
    }
}

/// All signals at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// When they were judged; `None` before the first time. When the store is away this gets old.
    pub evaluated_at: Option<OffsetDateTime>,
    /// Whether the last evaluation could read what it needs.
    pub current: bool,
    /// Where the failure rate comes from.
    pub basis: Basis,
    /// The span that is looked at, and for which latency must be over its threshold to fire.
    pub window: Duration,
    /// `job_failure_rate`, a ratio.
    pub failure_rate: Reading,
    /// `processing_latency_p95` of the model that is worst off, in seconds.
    pub latency: Reading,
    /// The same for each model of the window, by name; the rare ones together as `other`.
    pub models: Vec<(Label, Reading)>,
}

/// How long the evaluation may be late, beyond three of its intervals, before its results are old.
const GRACE: Duration = Duration::from_secs(30);

impl Board {
    /// Between two evaluations over `window`: a sixtieth of it, 100 ms to 15 s.
    pub fn interval(window: Duration) -> Duration {
        (window / 60).clamp(Duration::from_millis(100), Duration::from_secs(15))
    }

    /// Whether the readings can be relied on at `now`: the last evaluation worked and is not long ago. If not, they
    /// are what was last known, and whoever shows them says so.
    pub fn is_current(&self, now: OffsetDateTime) -> bool {
        let longest = Self::interval(self.window) * 3 + GRACE;
        self.current && self.evaluated_at.is_some_and(|at| now - at <= longest)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_evaluation_that_failed_or_is_long_ago_is_not_current() {
        let at = datetime!(2026-11-23 18:06:59 UTC);
        let reading = Reading {
            state: State::Ok,
            value: None,
            threshold: 0.05,
            samples: 0,
            since: None,
        };
        let board = Board {
            evaluated_at: Some(at),
            current: true,
            basis: Basis::Webhooks,
            window: Duration::from_mins(15),
            failure_rate: reading.clone(),
            latency: reading,
            models: Vec::new(),
        };
        let seconds = |seconds| at + Duration::from_secs(seconds);
        assert!(board.is_current(at) && board.is_current(seconds(75)));
        assert!(!board.is_current(seconds(76)));
        // A clock that was set back is no reason.
        assert!(board.is_current(at - Duration::from_hours(1)));
        let quick = Board {
            window: Duration::from_millis(100),
            ..board.clone()
        };
        assert!(quick.is_current(seconds(30)) && !quick.is_current(seconds(31)));
        let failed = Board {
            current: false,
            ..board.clone()
        };
        let never = Board {
            evaluated_at: None,
            ..board
        };
        assert!(!failed.is_current(at) && !never.is_current(at));
    }
}

//! The two signals of the jobs: failure rate, and p95 of the processing latency by model.

pub mod board;
pub mod counters;
pub mod judge;
pub mod told;
pub mod window;

use std::sync::Arc;

use self::board::{Basis, Board};
use self::judge::{Judged, judge, worst};
use crate::config::Signals;

impl Board {
    /// Before the first evaluation.
    pub fn blank(basis: Basis, settings: &Signals) -> Arc<Self> {
        let Judged {
            mut failure_rate, ..
        } = judge(&[], &[], settings, 0);
        failure_rate.since = None;
        Arc::new(Board {
            evaluated_at: None,
            current: false,
            basis,
            window: settings.window,
            failure_rate,
            latency: worst(&[], settings),
            models: Vec::new(),
        })
    }

    /// What was judged at `now`, milliseconds since 1970.
    pub fn of(judged: Judged, basis: Basis, settings: &Signals, now: i64) -> Arc<Self> {
        Arc::new(Board {
            evaluated_at: judge::at(now),
            current: true,
            basis,
            window: settings.window,
            latency: worst(&judged.models, settings),
            failure_rate: judged.failure_rate,
            models: judged.models,
        })
    }

    /// The same after an evaluation that failed.
    pub fn outdated(&self) -> Arc<Self> {
        Arc::new(Board {
            current: false,
            ..self.clone()
        })
    }
}

//! The sums of a check's runs since the start.

use crate::histogram::Histogram;
use crate::reason::OK;

use super::Run;

/// Finished runs by what decided them, and how long they took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// In the order of their first run; as many as the check has reasons, at most.
    runs: Vec<(&'static str, u64)>,
    durations: Histogram,
}

impl Tally {
    /// Adds a run.
    pub(super) fn count(&mut self, run: &Run) {
        let code = run.worst().map_or(OK.code, |finding| finding.reason.code);
        match self.runs.iter_mut().find(|(known, _)| *known == code) {
            Some((_, runs)) => *runs += 1,
            None => self.runs.push((code, 1)),
        }
        self.durations.record(run.latency);
    }

    /// Runs that this reason decided; those of `ok` passed without a word.
    pub fn runs(&self, code: &str) -> u64 {
        let found = self.runs.iter().find(|(known, _)| *known == code);
        found.map_or(0, |(_, runs)| *runs)
    }

    /// Every reason that has decided a run.
    pub fn codes(&self) -> impl Iterator<Item = &'static str> {
        self.runs.iter().map(|&(code, _)| code)
    }

    /// How long all of them took.
    pub fn durations(&self) -> &Histogram {
        &self.durations
    }
}

//! What became of a check over time: its last changes of status, and how many there were. Pure, and bounded
//! in memory.

use std::collections::VecDeque;

use crate::clock::Now;
use crate::reason::Reason;
use crate::state::Status;

/// One change of a check's damped status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// When it was noticed: with the run that caused it, or within a second of a result turning stale.
    pub at: Now,
    /// What the status became.
    pub to: Status,
    /// Why.
    pub reason: &'static Reason,
}

/// The last transitions of one check since this process started, and counts of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The oldest first.
    recent: VecDeque<Transition>,
    /// By [`slot`].
    counts: [u64; Status::ALL.len()],
}

impl History {
    /// The most transitions that are kept; older ones are counted and forgotten.
    pub const CAPACITY: usize = 50;

    /// What the check was last seen as; `None` before its first finished run.
    pub fn status(&self) -> Option<Status> {
        self.recent.back().map(|transition| transition.to)
    }

    /// The transitions that are kept, the newest first.
    pub fn recent(&self) -> impl ExactSizeIterator<Item = &Transition> {
        self.recent.iter().rev()
    }

    /// How many led to `status` since the start, forgotten ones included.
    pub fn count(&self, status: Status) -> u64 {
        self.counts[slot(status)]
    }

    /// Adds `transition`, which must lead away from [`History::status`]; forgets the oldest when full.
    pub fn push(&mut self, transition: Transition) {
        debug_assert_ne!(self.status(), Some(transition.to), "a change");
        let count = &mut self.counts[slot(transition.to)];
        *count = count.saturating_add(1);
        if self.recent.len() == Self::CAPACITY {
            self.recent.pop_front();
        }
        self.recent.push_back(transition);
    }
}

fn slot(status: Status) -> usize {
    match status {
        Status::Pass => 0,
        Status::Warn => 1,
        Status::Fail => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::reason::{OK, TIMEOUT};

    #[test]
    fn keeps_the_last_and_counts_all() {
        let start = Clock::default().now();
        let mut history = History::default();
        assert_eq!(history.status(), None);
        for second in 0..121_u32 {
            let (to, reason) = if second % 2 == 0 {
                (Status::Pass, &OK)
            } else {
                (Status::Fail, &TIMEOUT)
            };
            let at = start.plus(Duration::from_secs(1) * second);
            history.push(Transition { at, to, reason });
        }
        assert_eq!(history.status(), Some(Status::Pass));
        assert_eq!(history.count(Status::Pass), 61);
        assert_eq!(history.count(Status::Fail), 60);
        assert_eq!(history.count(Status::Warn), 0);

        assert_eq!(history.recent().len(), History::CAPACITY);
        let newest = history.recent().next().unwrap();
        assert_eq!(newest.at, start.plus(Duration::from_mins(2)));
        let oldest = history.recent().last().unwrap();
        assert_eq!(oldest.at, start.plus(Duration::from_secs(71)));
    }
}

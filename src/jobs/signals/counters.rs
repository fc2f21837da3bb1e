//! Without webhooks: ended jobs from RunPod's own counters, which say neither model nor time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::window::{Ended, Slice};
use crate::detail::Label;

/// One endpoint's counters, as RunPod tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Jobs that ended well.
    pub completed: u64,
    /// Jobs that ended badly; RunPod counts no cancelled ones.
    pub failed: u64,
}

/// What the counters grew by, over a window.
#[derive(Debug, Default)]
pub struct Counters {
    last: BTreeMap<Label, Counted>,
    growth: VecDeque<(i64, Counted)>,
}

impl Counters {
    /// Takes an endpoint's counters as they were at `at`, milliseconds since 1970. The first ones tell of no growth,
    /// and neither do counters that fell: they were reset.
    pub fn observe(&mut self, endpoint: &Label, now: Counted, at: i64) {
        let Some(before) = self.last.insert(endpoint.clone(), now) else {
            return;
        };
        let growth = (|| {
            Some(Counted {
                completed: now.completed.checked_sub(before.completed)?,
                failed: now.failed.checked_sub(before.failed)?,
            })
        })();
        if let Some(growth) = growth.filter(|growth| growth.completed + growth.failed > 0) {
            self.growth.push_back((at, growth));
        }
    }

    /// The jobs that ended in the `window` before `now`.
    pub fn window(&mut self, window: Duration, now: i64) -> Vec<Slice> {
        let span = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        while self
            .growth
            .front()
            .is_some_and(|(at, _)| now.saturating_sub(*at) >= span)
        {
            self.growth.pop_front();
        }
        let sum = |of: fn(&Counted) -> u64| self.growth.iter().map(|(_, growth)| of(growth)).sum();
        let slice = |ended, count| Slice {
            model: None,
            ended,
            processing_ms: None,
            count,
        };
        vec![
            slice(Ended::Completed, sum(|growth| growth.completed)),
            slice(Ended::Failed, sum(|growth| growth.failed)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(slices: &[Slice]) -> [u64; 2] {
        [Ended::Completed, Ended::Failed].map(|ended| {
            slices
                .iter()
                .filter(|slice| slice.ended == ended)
                .map(|slice| slice.count)
                .sum()
        })
    }

    #[test]
    fn growth_counts_and_the_first_value_and_a_reset_do_not() {
        let (a, b) = (Label::new("a").unwrap(), Label::new("b").unwrap());
        let mut counters = Counters::default();
        let mut see = |endpoint: &Label, completed, failed, at| {
            counters.observe(endpoint, Counted { completed, failed }, at);
            counts(&counters.window(Duration::from_secs(10), at))
        };
        assert_eq!(see(&a, 100, 5, 0), [0, 0]);
        assert_eq!(see(&a, 103, 6, 1000), [3, 1]);
        assert_eq!(see(&b, 7, 7, 2000), [3, 1]);
        assert_eq!(see(&b, 8, 7, 3000), [4, 1]);
        assert_eq!(see(&a, 2, 0, 4000), [4, 1], "a reset");
        assert_eq!(see(&a, 3, 0, 5000), [5, 1]);
        assert_eq!(
            see(&a, 3, 0, 11_000),
            [2, 0],
            "the first growth is 10 s old"
        );
        assert_eq!(see(&a, 3, 0, 30_000), [0, 0]);
    }
}

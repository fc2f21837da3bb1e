//! An endpoint's own samples: what the rows over time are judged from.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::payload::{Jobs, Payload, Workers};

/// The longest time that a row looks back.
pub const WINDOW: Duration = Duration::from_mins(15);

/// Samples closer than this are thinned, so that a history never holds more than 15 min / 1 s of them.
const SPACING: Duration = Duration::from_secs(1);

/// Runs without an answer that a row over time sees past. They say nothing about the endpoint, and the
/// samples on both sides agree; as many in a row as turn a check false (3) are too many to see past.
const BRIDGED: u32 = 2;

/// One answer.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it came.
    pub at: Instant,
    /// Workers by state.
    pub workers: Workers,
    /// Jobs by state.
    pub jobs: Jobs,
    /// Runs without an answer since the sample before; the most in a row if one between was thinned out.
    unanswered: u32,
}

/// The answers of one endpoint over the last 15 minutes, oldest first.
#[derive(Debug, Clone, Default)]
pub struct History {
    samples: VecDeque<Sample>,
    unanswered: u32,
}

impl History {
    /// Adds an answer. `at` never runs backwards; an earlier instant counts as the newest one.
    pub fn answered(&mut self, at: Instant, payload: &Payload) {
        let at = self.newest().map_or(at, |newest| newest.at.max(at));
        let mut unanswered = std::mem::take(&mut self.unanswered);
        if self.newest_is_crowded() {
            let thinned = self.samples.pop_back();
            unanswered = unanswered.max(thinned.map_or(0, |thinned| thinned.unanswered));
        }
        let Payload { workers, jobs } = *payload;
        self.samples.push_back(Sample {
            at,
            workers,
            jobs,
            unanswered,
        });
        // The sample just outside stays: the window needs one at or before its start.
        while self
            .samples
            .get(1)
            .is_some_and(|second| at - second.at >= WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// Notes a run that brought no answer to judge.
    pub fn unanswered(&mut self) {
        self.unanswered = (self.unanswered + 1).min(BRIDGED + 1);
    }

    /// The latest answer.
    pub fn newest(&self) -> Option<&Sample> {
        self.samples.back()
    }

    /// For how long `holds` has been true on every sample up to the newest, 0 for the newest alone;
    /// `None` when it is false there. `linked` says of two neighbours (older, newer) whether the streak
    /// may go through.
    pub fn held(
        &self,
        holds: impl Fn(&Sample) -> bool,
        linked: impl Fn(&Sample, &Sample) -> bool,
    ) -> Option<Duration> {
        let newest = self.newest().filter(|newest| holds(newest))?;
        let start = self
            .pairs()
            .take_while(|(older, newer)| {
                newer.unanswered <= BRIDGED && holds(older) && linked(older, newer)
            })
            .last()
            .map_or(newest, |(older, _)| older);
        Some(newest.at - start.at)
    }

    /// The samples of the last `span`, newest first and with the one at or before its start; `None`
    /// when they do not reach that far back.
    pub fn over(&self, span: Duration) -> Option<Vec<&Sample>> {
        let newest = self.newest()?;
        let mut samples = vec![newest];
        for (older, newer) in self.pairs() {
            if newer.unanswered > BRIDGED {
                return None;
            }
            samples.push(older);
            if newest.at - older.at >= span {
                return Some(samples);
            }
        }
        None
    }

    /// Neighbours (older, newer), newest first.
    fn pairs(&self) -> impl Iterator<Item = (&Sample, &Sample)> {
        self.samples
            .iter()
            .rev()
            .skip(1)
            .zip(self.samples.iter().rev())
    }

    /// Whether the newest sample stands too close to the one before it to be kept for good.
    fn newest_is_crowded(&self) -> bool {
        self.pairs()
            .next()
            .is_some_and(|(older, newer)| newer.at - older.at < SPACING)
    }
}

/// By how much a counter rose over `samples` (newest first); `None` when one lacks it. A counter that
/// fell was reset, and that step counts for nothing.
pub fn rise(samples: &[&Sample], counter: impl Fn(&Sample) -> Option<u64>) -> Option<u64> {
    let mut total: u64 = 0;
    for pair in samples.windows(2) {
        total = total.saturating_add(counter(pair[0])?.saturating_sub(counter(pair[1])?));
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(count: u64) -> Payload {
        let jobs = Jobs {
            in_queue: Some(count),
            completed: Some(count),
            ..Jobs::default()
        };
        Payload {
            jobs,
            ..Payload::default()
        }
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_fast_pace_is_thinned_and_a_slow_one_kept() {
        let start = Instant::now();
        let mut history = History::default();
        for step in 0..40_000_u64 {
            history.answered(start + Duration::from_millis(50 * step), &queued(step));
        }
        assert!(history.samples.len() <= 902, "{}", history.samples.len());
        assert_eq!(history.newest().unwrap().jobs.in_queue, Some(39_999));
        assert!(history.over(WINDOW).is_some());

        let mut history = History::default();
        for step in 0..10 {
            history.answered(start + seconds(600 * step), &queued(step));
        }
        assert_eq!(
            history.samples.len(),
            3,
            "one sample at or before the window's start stays"
        );
        assert!(history.over(WINDOW).is_some());
    }

    #[test]
    fn two_unanswered_runs_are_seen_past_and_three_are_not() {
        let start = Instant::now();
        for (unanswered, expected) in [(0, 30), (2, 30), (3, 0), (1_000, 0)] {
            let mut history = History::default();
            history.answered(start, &queued(1));
            (0..unanswered).for_each(|_| history.unanswered());
            history.answered(start + seconds(30), &queued(1));
            let held = history.held(|sample| sample.jobs.in_queue == Some(1), |_, _| true);
            assert_eq!(held, Some(seconds(expected)), "{unanswered}");
            assert_eq!(
                history.over(seconds(30)).is_some(),
                expected == 30,
                "{unanswered}"
            );
        }
    }

    #[test]
    fn thinning_keeps_the_most_unanswered_runs_in_a_row() {
        let start = Instant::now();
        let mut history = History::default();
        history.answered(start, &queued(1));
        (0..3).for_each(|_| history.unanswered());
        history.answered(start + Duration::from_millis(100), &queued(1));
        history.answered(start + seconds(30), &queued(1));
        assert_eq!(history.samples.len(), 2);
        assert_eq!(history.held(|_| true, |_, _| true), Some(Duration::ZERO));
    }

    #[test]
    fn a_counter_that_falls_was_reset() {
        let start = Instant::now();
        let mut history = History::default();
        for (step, count) in [5, 9, 2, 3].into_iter().enumerate() {
            history.answered(start + seconds(30 * step as u64), &queued(count));
        }
        let samples = history.over(seconds(90)).unwrap();
        assert_eq!(rise(&samples, |sample| sample.jobs.completed), Some(4 + 1));
        assert_eq!(rise(&samples, |sample| sample.jobs.failed), None);
    }
}

//! How long things take: counts in fixed buckets. Plain to be carried along in a value, atomic to be written by many.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds in seconds, inclusive: those that OpenTelemetry advises for HTTP.
pub const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Upper bounds in seconds, inclusive, for work that takes minutes; the usual objectives are among them.
const LONG_BOUNDS: [f64; 23] = [
    1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 360.0, 450.0,
    600.0, 900.0, 1200.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0,
];

/// One a bound, and one for what is longer than all of them.
const SLOTS: usize = BOUNDS.len() + 1;

/// Which bounds a histogram has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scale {
    /// Of calls: milliseconds to 10 s.
    #[default]
    Calls,
    /// Of jobs: 1 s to a day.
    Jobs,
}

impl Scale {
    const fn bounds(self) -> &'static [f64] {
        match self {
            Scale::Calls => &BOUNDS,
            Scale::Jobs => &LONG_BOUNDS,
        }
    }
}

/// Durations of which only the distribution and the sum are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    scale: Scale,
    slots: Box<[u64]>,
    sum: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new(Scale::default())
    }
}

impl Histogram {
    /// An empty one.
    pub fn new(scale: Scale) -> Self {
        Histogram {
            scale,
            slots: vec![0; scale.bounds().len() + 1].into(),
            sum: Duration::ZERO,
        }
    }

    /// Adds one.
    pub fn record(&mut self, took: Duration) {
        let slot = &mut self.slots[slot_of(self.scale.bounds(), took)];
        *slot = slot.saturating_add(1);
        self.sum = self.sum.saturating_add(took);
    }

    /// Each bound with how many were no longer.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.scale.bounds().iter().copied();
        bounds.zip(&self.slots).scan(0, |below, (bound, &slot)| {
            *below += slot;
            Some((bound, *below))
        })
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.slots.iter().sum()
    }

    /// How long they took together.
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

/// A [`Histogram`] of calls that many write at once: two relaxed additions each.
#[derive(Debug, Default)]
pub struct SharedHistogram {
    slots: [AtomicU64; SLOTS],
    nanos: AtomicU64,
}

impl SharedHistogram {
    /// Adds one.
    pub fn record(&self, took: Duration) {
        self.slots[slot_of(&BOUNDS, took)].fetch_add(1, Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Relaxed);
    }

    /// What it holds; one that is being added may be in the count and not yet in the sum.
    pub fn read(&self) -> Histogram {
        Histogram {
            scale: Scale::Calls,
            slots: self.slots.iter().map(|slot| slot.load(Relaxed)).collect(),
            sum: Duration::from_nanos(self.nanos.load(Relaxed)),
        }
    }
}

fn slot_of(bounds: &[f64], took: Duration) -> usize {
    let seconds = took.as_secs_f64();
    // Most are in the first: no search is faster.
    bounds.iter().take_while(|&&bound| seconds > bound).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive_and_counts_cumulative() {
        let (mut plain, shared) = (Histogram::default(), SharedHistogram::default());
        for millis in [0, 5, 6, 10_000, 10_001, 3_600_000] {
            plain.record(Duration::from_millis(millis));
            shared.record(Duration::from_millis(millis));
        }
        assert_eq!(shared.read(), plain);
        let cumulative: Vec<_> = plain.cumulative().collect();
        assert_eq!(cumulative[..2], [(0.005, 2), (0.01, 3)]);
        assert_eq!(cumulative.last(), Some(&(10.0, 4)));
        assert_eq!(plain.count(), 6);
        assert_eq!(plain.sum(), Duration::from_millis(3_620_012));
    }

    #[test]
    fn bounds_ascend() {
        for scale in [Scale::Calls, Scale::Jobs] {
            assert!(scale.bounds().is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn jobs_have_bounds_of_their_own() {
        let mut jobs = Histogram::new(Scale::Jobs);
        for seconds in [1, 300, 301, 7200, 90_000] {
            jobs.record(Duration::from_secs(seconds));
        }
        let below = |bound: f64| jobs.cumulative().find(|(at, _)| *at >= bound).unwrap().1;
        assert_eq!(
            [below(1.0), below(300.0), below(3600.0), jobs.count()],
            [1, 2, 3, 5]
        );
    }
}

//! What the process knows of itself: the HTTP runtime's lag and the descriptors left. Lock-free: written
//! by one task each, read by anyone at the price of an atomic load.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// Between two samples of the HTTP runtime's lag.
const TICK: Duration = Duration::from_secs(1);
/// So many late samples in a row are a stall.
const STALLED_AFTER: u64 = 3;
/// Fewer descriptors than this left is too few, whatever the limit.
const LEAST_LEFT: u32 = 32;
/// So is less than this share of the limit.
const LEAST_PERCENT: u32 = 5;

/// The process's own measurements. Cheap to make; nothing is judged before its first sample.
#[derive(Debug)]
pub struct Vitals {
    base: Instant,
    /// The last lag sample: milliseconds since `base` plus 1 in the upper 48 bits, late samples in a row
    /// in the lower 16, so that both are read at once. 0: never sampled.
    lag: AtomicU64,
    /// Open descriptors in the upper half, limit in the lower. 0: never sampled.
    descriptors: AtomicU64,
}

/// How the HTTP runtime keeps its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Consecutive samples that came, or are, more than 1 s late.
    pub late: u64,
}

impl Lag {
    /// Whether requests wait: 3 or more samples in a row are over 1 s late.
    pub fn is_stalled(self) -> bool {
        self.late >= STALLED_AFTER
    }
}

/// File descriptors of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// In use.
    pub open: u32,
    /// The soft limit; a larger or infinite one counts as `u32::MAX`.
    pub limit: u32,
}

impl Descriptors {
    /// Counts them; `None` where the system does not tell.
    pub fn count() -> Option<Self> {
        let (open, limit) = (open_descriptors()?, descriptor_limit()?);
        Some(Descriptors { open, limit })
    }

    /// How many more can be opened.
    pub fn left(self) -> u32 {
        self.limit.saturating_sub(self.open)
    }

    /// Whether fewer than max(32, 5 %) are left.
    pub fn are_exhausted(self) -> bool {
        let share = u64::from(self.limit) * u64::from(LEAST_PERCENT) / 100;
        u64::from(self.left()) < share.max(u64::from(LEAST_LEFT))
    }
}

impl Vitals {
    /// Nothing sampled yet.
    pub fn new() -> Self {
        Vitals {
            base: Instant::now(),
            lag: AtomicU64::new(0),
            descriptors: AtomicU64::new(0),
        }
    }

    /// Notes a sample of the HTTP runtime that came `lag` after its time, at `at`.
    pub fn record_lag(&self, at: Instant, lag: Duration) {
        let before = self.lag.load(Relaxed) & 0xffff;
        let late = match ticks_late(lag) {
            0 => 0,
            ticks => (before + ticks).min(0xffff),
        };
        self.lag
            .store(((self.millis(at) + 1) << 16) | late, Relaxed);
    }

    /// How the HTTP runtime keeps its time at `now`; `None` before the first sample. A runtime that is
    /// blocked stores nothing, so samples that are overdue count as late ones.
    pub fn lag(&self, now: Instant) -> Option<Lag> {
        let packed = self.lag.load(Relaxed);
        let at = (packed >> 16).checked_sub(1)?;
        let since = Duration::from_millis(self.millis(now).saturating_sub(at));
        let late = (packed & 0xffff) + ticks_late(since.saturating_sub(TICK));
        Some(Lag { late })
    }

    /// Counts this process's descriptors; called once a second by the monitor's heartbeat. Where the
    /// system does not tell, nothing is stored and nothing is judged.
    pub fn sample_descriptors(&self) {
        if let Some(descriptors) = Descriptors::count() {
            self.record_descriptors(descriptors);
        }
    }

    /// Notes a count of descriptors.
    pub fn record_descriptors(&self, descriptors: Descriptors) {
        let Descriptors { open, limit } = descriptors;
        self.descriptors
            .store((u64::from(open) << 32) | u64::from(limit), Relaxed);
    }

    /// The last count; `None` before the first.
    pub fn descriptors(&self) -> Option<Descriptors> {
        match self.descriptors.load(Relaxed) {
            0 => None,
            packed => Some(Descriptors {
                open: u32::try_from(packed >> 32).unwrap_or(u32::MAX),
                limit: u32::try_from(packed & u64::from(u32::MAX)).unwrap_or(u32::MAX),
            }),
        }
    }

    /// Whether the last count left too few; false before the first.
    pub fn descriptors_exhausted(&self) -> bool {
        self.descriptors().is_some_and(Descriptors::are_exhausted)
    }

    /// Milliseconds since `base`, in 47 bits (4,000 years).
    fn millis(&self, at: Instant) -> u64 {
        let millis = at.saturating_duration_since(self.base).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX).min((1 << 47) - 1)
    }
}

impl Default for Vitals {
    fn default() -> Self {
        Self::new()
    }
}

/// Samples the lag of the runtime that this task runs on, once a second, for ever. Spawn it on the HTTP
/// runtime, once.
pub async fn sample_lag(vitals: Arc<Vitals>) {
    vitals.record_lag(Instant::now(), Duration::ZERO);
    loop {
        let due = Instant::now() + TICK;
        tokio::time::sleep_until(due).await;
        let now = Instant::now();
        vitals.record_lag(now, now.saturating_duration_since(due));
    }
}

/// Of the samples due so far, how many are more than one tick late when the first of them is late by
/// `lag`: the one due a tick later is late by a tick less.
fn ticks_late(lag: Duration) -> u64 {
    lag.saturating_sub(Duration::from_millis(1)).as_secs()
}

#[cfg(target_os = "linux")]
fn open_descriptors() -> Option<u32> {
    const PATH: &str = "/proc/self/fd";
    // Since Linux 6.2 the directory's size is the count, and asking for it needs no descriptor.
    let told = std::fs::metadata(PATH).ok()?.len();
    if told > 0 {
        return Some(u32::try_from(told).unwrap_or(u32::MAX));
    }
    match std::fs::read_dir(PATH) {
        // One of the entries is the descriptor that reads them.
        Ok(entries) => u32::try_from(entries.count().saturating_sub(1)).ok(),
        // No descriptor left to count with.
        Err(error) if error.raw_os_error() == Some(EMFILE) => descriptor_limit(),
        Err(_) => None,
    }
}

/// "Too many open files", on every Linux architecture.
#[cfg(target_os = "linux")]
const EMFILE: i32 = 24;

#[cfg(not(target_os = "linux"))]
fn open_descriptors() -> Option<u32> {
    None
}

fn descriptor_limit() -> Option<u32> {
    let (soft, _hard) = rlimit::Resource::NOFILE.get().ok()?;
    Some(u32::try_from(soft).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(vitals: &Vitals, millis: u64) -> Instant {
        vitals.base + Duration::from_millis(millis)
    }

    #[test]
    fn nothing_is_judged_before_the_first_sample() {
        let vitals = Vitals::new();
        assert_eq!(vitals.lag(at(&vitals, 1_000_000)), None);
        assert_eq!(vitals.descriptors(), None);
        assert!(!vitals.descriptors_exhausted());
    }

    #[test]
    fn three_late_samples_in_a_row_are_a_stall() {
        let vitals = Vitals::new();
        let mut stalled = Vec::new();
        for (millis, lag) in [
            (1_000, 0),
            (3_100, 1_100),
            (5_200, 1_100),
            (7_300, 1_100),
            (8_300, 1_000),
        ] {
            vitals.record_lag(at(&vitals, millis), Duration::from_millis(lag));
            stalled.push(vitals.lag(at(&vitals, millis)).unwrap().is_stalled());
        }
        assert_eq!(
            stalled,
            [false, false, false, true, false],
            "1 s exactly is not over 1 s"
        );
    }

    #[test]
    fn a_blocked_runtime_is_seen_by_its_missing_samples() {
        let vitals = Vitals::new();
        vitals.record_lag(at(&vitals, 0), Duration::ZERO);
        for (millis, late) in [
            (0, 0),
            (1_900, 0),
            (2_001, 1),
            (3_001, 2),
            (4_000, 2),
            (4_001, 3),
        ] {
            let lag = vitals.lag(at(&vitals, millis)).unwrap();
            assert_eq!((lag.late, lag.is_stalled()), (late, late >= 3), "{millis}");
        }
        vitals.record_lag(at(&vitals, 3_500), Duration::from_millis(2_500));
        assert!(!vitals.lag(at(&vitals, 5_000)).unwrap().is_stalled());
        assert!(
            vitals.lag(at(&vitals, 5_501)).unwrap().is_stalled(),
            "late ones before it count"
        );
        vitals.record_lag(at(&vitals, 5_600), Duration::ZERO);
        assert_eq!(vitals.lag(at(&vitals, 5_600)).unwrap().late, 0);
    }

    #[test]
    fn an_earlier_reader_and_a_far_future_do_no_harm() {
        let vitals = Vitals::new();
        vitals.record_lag(
            at(&vitals, 60_000),
            Duration::from_secs(u64::from(u32::MAX)),
        );
        assert!(vitals.lag(at(&vitals, 0)).unwrap().is_stalled());
        vitals.record_lag(vitals.base + Duration::from_secs(1 << 50), Duration::ZERO);
        assert_eq!(vitals.lag(at(&vitals, 0)).unwrap().late, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_samples_every_second() {
        let vitals = Arc::new(Vitals::new());
        let task = tokio::spawn(sample_lag(Arc::clone(&vitals)));
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            tokio::task::yield_now().await;
            assert_eq!(vitals.lag(Instant::now()), Some(Lag { late: 0 }));
        }
        // The runtime is blocked: time goes on and the task does not run.
        task.abort();
        let _ = task.await;
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(vitals.lag(Instant::now()).unwrap().is_stalled());
    }

    #[test]
    fn too_few_descriptors_is_less_than_32_or_5_percent() {
        for (open, limit, exhausted) in [
            (0, 1_024, false),
            (973, 1_024, false),
            (974, 1_024, true),
            (224, 256, false),
            (225, 256, true),
            (19_000, 20_000, false),
            (19_001, 20_000, true),
            (300, 256, true),
            (1_000, u32::MAX, false),
        ] {
            let vitals = Vitals::new();
            vitals.record_descriptors(Descriptors { open, limit });
            assert_eq!(vitals.descriptors(), Some(Descriptors { open, limit }));
            assert_eq!(
                vitals.descriptors_exhausted(),
                exhausted,
                "{open} of {limit}"
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn counts_its_own_descriptors() {
        let vitals = Vitals::new();
        vitals.sample_descriptors();
        let before = vitals.descriptors().unwrap();
        assert!(before.open >= 3 && before.limit > before.open, "{before:?}");
        let held: Vec<_> = (0..64)
            .map(|_| std::fs::File::open("/proc/self/stat").unwrap())
            .collect();
        vitals.sample_descriptors();
        let after = vitals.descriptors().unwrap();
        // Other tests of this binary open and close some of their own meanwhile.
        assert!(after.open >= before.open + 32, "{before:?} {after:?}");
        drop(held);
    }
}

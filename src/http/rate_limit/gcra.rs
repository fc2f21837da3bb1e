//! The arithmetic of one bucket: the generic cell rate algorithm (ITU-T I.371) on integers.
//!
//! A bucket is one number, the *theoretical arrival time* (TAT): when it will have drained. A request moves it on by one
//! interval and is allowed while it stays within the burst. A TAT in the past is an empty bucket, so time alone cleans up.

use std::time::Duration;

use tokio::time::Instant;

/// Moments and spans are counted in ticks of 64 ns: 52 bits then last for 9 years, and every usual rate is a whole
/// number of ticks.
const TICK_NANOS: u64 = 64;
const TICKS_PER_SECOND: u64 = 1_000_000_000 / TICK_NANOS;

/// The bits that a moment takes.
pub(super) const TIME_BITS: u32 = 52;

/// The last moment that can be told. After it, 9 years on, every bucket counts as drained.
const LAST: u64 = (1 << TIME_BITS) - 1;

/// `moment` in ticks since `base`; 0 if it is earlier.
pub(super) fn ticks(base: Instant, moment: Instant) -> u64 {
    let since = moment.saturating_duration_since(base);
    let ticks = since
        .as_secs()
        .saturating_mul(TICKS_PER_SECOND)
        .saturating_add(u64::from(since.subsec_nanos()) / TICK_NANOS);
    ticks.min(LAST)
}

/// A span of ticks as a duration.
pub(super) fn span(ticks: u64) -> Duration {
    Duration::from_nanos(ticks.saturating_mul(TICK_NANOS))
}

/// One quota, in ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gcra {
    /// What one request weighs. A whole number of ticks, at least 1, so rates beyond 10,000 a second are rounded up a little.
    interval: u64,
    /// How far a TAT may lie ahead before the next request: the burst less one request.
    tolerance: u64,
}

impl Gcra {
    /// `per_second` and `burst` of at least 1; 0 is taken as 1.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval = (TICKS_PER_SECOND / u64::from(per_second.max(1))).max(1);
        let tolerance = interval.saturating_mul(u64::from(burst.max(1)) - 1);
        Gcra {
            interval,
            tolerance,
        }
    }

    /// The TAT after one more request at `now`, or the ticks to wait before it.
    pub(super) fn take(&self, tat: u64, now: u64) -> Result<u64, u64> {
        let earliest = tat.saturating_sub(self.tolerance);
        if now < earliest {
            return Err(earliest - now);
        }
        Ok(tat.max(now).saturating_add(self.interval).min(LAST))
    }

    /// Requests that would be allowed at `now`.
    pub(super) fn remaining(&self, tat: u64, now: u64) -> u64 {
        let capacity = self.tolerance.saturating_add(self.interval);
        capacity.saturating_sub(tat.saturating_sub(now)) / self.interval
    }

    /// What one request weighs, as time.
    #[cfg(test)]
    pub(super) fn interval(&self) -> Duration {
        span(self.interval)
    }
}

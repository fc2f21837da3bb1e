//! Monotonic and wall time read together.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tokio::time::Instant;

/// One moment, told by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For durations and deadlines.
    pub mono: Instant,
    /// For people, signatures and comparison with an upstream's `Date`.
    pub wall: OffsetDateTime,
}

impl Now {
    /// This moment moved by `by` on both clocks.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Now {
            mono: self.mono + by,
            wall: self.wall + by,
        }
    }
}

/// The source of [`Now`]. Tests shift its wall time to play a wrong clock, or advance both clocks to
/// play time that has passed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    wall_offset: time::Duration,
    mono_offset: Duration,
}

impl Clock {
    /// A clock whose wall time is wrong by `offset` (positive: ahead).
    pub fn shifted(offset: time::Duration) -> Self {
        Clock {
            wall_offset: offset,
            ..Clock::default()
        }
    }

    /// This clock `by` later, on both clocks.
    #[must_use]
    pub fn advanced(self, by: Duration) -> Self {
        Clock {
            wall_offset: self.wall_offset + by,
            mono_offset: self.mono_offset + by,
        }
    }

    /// Reads both clocks.
    pub fn now(&self) -> Now {
        Now {
            mono: Instant::now() + self.mono_offset,
            wall: OffsetDateTime::from(SystemTime::now()) + self.wall_offset,
        }
    }
}

const RFC3339_MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// RFC 3339 in UTC with milliseconds, `2026-11-23T18:06:59.123Z`.
pub fn rfc3339(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC)
        .format(RFC3339_MILLIS)
        .unwrap_or_else(|_| "9999-12-31T23:59:59.999Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advanced_clock_is_ahead_on_both_clocks() {
        let hour = Duration::from_hours(1);
        let (now, later) = (
            Clock::default().now(),
            Clock::default().advanced(hour).now(),
        );
        assert!(later.mono - now.mono >= hour);
        assert!(later.wall - now.wall > time::Duration::minutes(59));
    }

    #[test]
    fn formats_with_milliseconds_in_utc() {
        let at = OffsetDateTime::UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(rfc3339(at), "1970-01-01T00:00:01.500Z");
    }
}

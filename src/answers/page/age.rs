//! Moments, told as ages. The script keeps them counting from the same numbers.

use std::time::Duration;

use maud::{Markup, html};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::clock::{Now, rfc3339};

/// An age in words: one unit, two from an hour on. `script.js` has the same function.
pub(super) fn words(age: Duration) -> String {
    let seconds = age.as_secs();
    match (seconds / 60, seconds / 3600) {
        (0, _) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, hours) if hours < 48 => format!("{hours} h {} min", minutes % 60),
        (_, hours) => format!("{} d {} h", hours / 24, hours % 24),
    }
}

/// How long ago `at` was.
pub(super) fn ago(at: Now, now: Instant) -> Markup {
    aged(at.wall, now.saturating_duration_since(at.mono))
}

/// The same by the wall clock alone: of moments that are kept over restarts.
#[cfg(feature = "jobs")]
pub(super) fn ago_by_wall(at: OffsetDateTime, now: OffsetDateTime) -> Markup {
    aged(at, Duration::try_from(now - at).unwrap_or_default())
}

fn aged(at: OffsetDateTime, age: Duration) -> Markup {
    html! {
        time datetime=(rfc3339(at)) title=(by_wall(at)) data-age=(age.as_millis()) {
            (words(age)) " ago"
        }
    }
}

/// `2026-11-23 18:06:59 UTC`.
pub(super) fn utc(at: Now) -> String {
    by_wall(at.wall)
}

fn by_wall(at: OffsetDateTime) -> String {
    let text = rfc3339(at);
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    let (time, _) = time.split_once('.').unwrap_or((time, ""));
    format!("{date} {time} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_the_unit_that_fits() {
        for (seconds, told) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h 0 min"),
            (172_799, "47 h 59 min"),
            (172_800, "2 d 0 h"),
            (900_000, "10 d 10 h"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn moments_are_told_in_utc() {
        let at = Now {
            mono: Instant::now(),
            wall: OffsetDateTime::UNIX_EPOCH + Duration::from_millis(61_500),
        };
        assert_eq!(utc(at), "1970-01-01 00:01:01 UTC");
    }
}

//! The last changes of a check as a strip along time, and the same in words.

use std::time::Duration;

use maud::{Markup, html};
use tokio::time::Instant;

use super::age::{ago, utc, words};
use super::condition::Condition;
use crate::history::Transition;
use crate::snapshot::{Checked, Moment};

/// The strip's width in its own unit.
const WIDTH: f64 = 1000.0;
/// No segment is narrower, so that a short outage in a long time is still seen. 50 of them fit.
const LEAST: f64 = 8.0;
/// What counts as no time at all, in seconds, so that the shares of changes just made are no division by 0.
const INSTANT: f64 = 0.001;
/// Between two segments.
const GAP: f64 = 2.0;
/// How many changes are told in words.
const TOLD: usize = 12;

/// One status for as long as it lasted.
#[derive(Debug, PartialEq)]
struct Segment {
    condition: Condition,
    x: f64,
    width: f64,
}

pub(super) fn markup(check: &Checked, at: Moment) -> Markup {
    let changes: Vec<&Transition> = check.history.recent().collect();
    let Some(oldest) = changes.last() else {
        return html! {};
    };
    let shown = at.now.saturating_duration_since(oldest.at.mono);
    html! {
        figure.strip {
            svg viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-label=(summary(&changes, shown)) {
                @for segment in segments(&changes, at.now) {
                    (segment.markup())
                }
            }
            figcaption { (ago(oldest.at, at.now)) span { "now" } }
        }
        details id={ "changes-" (check.info.name) } {
            summary id={ "changes-of-" (check.info.name) } { "Last changes" }
            ol.changes {
                @for change in changes.iter().take(TOLD) {
                    @let condition = Condition::from(change.to);
                    li class=(condition.name()) {
                        b { (condition.words()) } " " code { (change.reason.code) } " "
                        (utc(change.at)) ", " (ago(change.at, at.now))
                    }
                }
            }
        }
    }
}

/// What the strip shows, for those who do not see it.
fn summary(changes: &[&Transition], shown: Duration) -> String {
    let count = |wanted| {
        let those = changes
            .iter()
            .filter(|change| Condition::from(change.to) == wanted);
        those.count()
    };
    let newest = changes
        .first()
        .map(|change| Condition::from(change.to).words());
    format!(
        "{} in the last {}: turned failing {}, warning {}, passing {}; now {}",
        times(changes.len(), "change"),
        words(shown),
        times(count(Condition::Fail), "time"),
        times(count(Condition::Warn), "time"),
        times(count(Condition::Pass), "time"),
        newest.unwrap_or_default(),
    )
}

fn times(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// The oldest on the left. Each is as wide as its share of the time, but never too narrow to be seen.
fn segments(newest_first: &[&Transition], now: Instant) -> Vec<Segment> {
    let mut ends = now;
    let mut lasted = Vec::with_capacity(newest_first.len());
    for change in newest_first {
        let span = ends.saturating_duration_since(change.at.mono);
        lasted.push((Condition::from(change.to), span.as_secs_f64().max(INSTANT)));
        ends = change.at.mono;
    }
    lasted.reverse();
    let total: f64 = lasted.iter().map(|(_, seconds)| seconds).sum();
    // What the least widths take is not shared out.
    let least = LEAST * lasted.iter().map(|_| 1.0).sum::<f64>();
    let mut x = 0.0;
    let place = |(condition, seconds): (Condition, f64)| {
        let width = LEAST + (WIDTH - least) * seconds / total;
        let segment = Segment {
            condition,
            x,
            width,
        };
        x += width;
        segment
    };
    lasted.into_iter().map(place).collect()
}

impl Segment {
    /// The worse, the higher: it is told apart without colour.
    fn markup(&self) -> Markup {
        let height = match self.condition {
            Condition::Pass | Condition::Starting => 8,
            Condition::Warn => 16,
            Condition::Fail | Condition::Stale => 24,
        };
        html! {
            rect class=(self.condition.name())
                x=(format_args!("{:.1}", self.x)) y=(24 - height)
                width=(format_args!("{:.1}", (self.width - GAP).max(1.0))) height=(height) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Now};
    use crate::reason::{OK, TIMEOUT};
    use crate::snapshot::Status;

    fn change(at: Now, to: Status) -> Transition {
        let reason = if to == Status::Pass { &OK } else { &TIMEOUT };
        Transition { at, to, reason }
    }

    #[test]
    fn segments_share_the_width_by_time_and_a_short_one_is_still_seen() {
        let start = Clock::default().now();
        let at = |seconds| start.plus(Duration::from_secs(seconds));
        let changes = [
            change(at(0), Status::Pass),
            change(at(100_000), Status::Fail),
            change(at(100_001), Status::Pass),
        ];
        let newest_first: Vec<_> = changes.iter().rev().collect();
        let segments = segments(&newest_first, at(200_001).mono);
        let widths: Vec<_> = segments.iter().map(|segment| segment.width).collect();
        assert!((widths.iter().sum::<f64>() - WIDTH).abs() < 1e-6);
        assert!(widths[1] >= LEAST && widths[1] < LEAST + 1.0, "{widths:?}");
        assert!((widths[0] - widths[2]).abs() < 1e-6, "{widths:?}");
        let conditions: Vec<_> = segments.iter().map(|segment| segment.condition).collect();
        assert_eq!(
            conditions,
            [Condition::Pass, Condition::Fail, Condition::Pass]
        );
        assert_eq!(
            summary(&newest_first, Duration::from_secs(200_001)),
            "3 changes in the last 2 d 7 h: turned failing 1 time, warning 0 times, passing 2 times; now passing"
        );
    }

    #[test]
    fn a_change_that_is_just_now_fills_the_strip() {
        let now = Clock::default().now();
        let only = change(now, Status::Pass);
        let segments = segments(&[&only], now.mono);
        assert_eq!(segments.len(), 1);
        assert!(segments[0].x < 1e-6 && (segments[0].width - WIDTH).abs() < 1e-6);
    }
}

//! The signals of the jobs, where details are shown.

use std::time::Duration;

use maud::{Markup, html};
use time::OffsetDateTime;

use super::age::{ago_by_wall, words};
use super::shape;
use crate::jobs::signals::board::{Basis, Board, Reading, State};

/// The section, as it is at `now`.
pub fn markup(board: &Board, now: OffsetDateTime) -> Markup {
    let current = board.is_current(now);
    html! {
        section.checks.jobs aria-label="Jobs" {
            div.about {
                p { b { "Jobs" } " of the last " (words(board.window)) (from(board.basis)) }
                p.age {
                    @match board.evaluated_at {
                        Some(at) => { "judged " (ago_by_wall(at, now)) }
                        None => "not judged yet",
                    }
                }
            }
            (signal("job_failure_rate", &board.failure_rate, Unit::Share, current, now, &html! {}))
            (signal("processing_latency_p95", &board.latency, Unit::Seconds, current, now, &models(board, current, now)))
        }
    }
}

fn from(basis: Basis) -> &'static str {
    match basis {
        Basis::Webhooks => ", as webhooks tell",
        Basis::RunPodCounters => ", by RunPod’s counters",
    }
}

fn signal(
    name: &str,
    reading: &Reading,
    unit: Unit,
    current: bool,
    now: OffsetDateTime,
    more: &Markup,
) -> Markup {
    let look = Look::of(reading.state, current);
    html! {
        article class={ "signal " (look.class) } id={ "signal-" (name) } {
            div.row {
                (shape(look.shape))
                h2 { (name) }
                p.state { (look.words) }
                p.age {
                    @if let Some(since) = reading.since { "since " (ago_by_wall(since, now)) }
                }
            }
            div.more {
                dl {
                    div { dt { "value" } dd { (unit.told(reading.value)) } }
                    div { dt { "threshold" } dd { (unit.told(Some(reading.threshold))) } }
                    div { dt { "jobs" } dd { (reading.samples) } }
                }
                (more)
            }
        }
    }
}

/// One entry a model, the worst first.
fn models(board: &Board, current: bool, now: OffsetDateTime) -> Markup {
    let mut models: Vec<_> = board.models.iter().collect();
    let over = |reading: &Reading| reading.value.unwrap_or(0.0) / reading.threshold;
    models.sort_by(|(_, a), (_, b)| {
        let by_state = b.state.cmp(&a.state);
        by_state.then_with(|| over(b).total_cmp(&over(a)))
    });
    html! {
        @if !models.is_empty() {
            ul.models aria-label="By model" {
                @for (name, reading) in models {
                    @let look = Look::of(reading.state, current);
                    li class=(look.class) {
                        p.told { (shape(look.shape)) b { (name) } span { (look.words) } }
                        p {
                            span.pair { "p95 " b { (Unit::Seconds.told(reading.value)) } } " · "
                            span.pair { "threshold " b { (Unit::Seconds.told(Some(reading.threshold))) } } " · "
                            span.pair { "jobs " b { (reading.samples) } }
                            @if let Some(since) = reading.since {
                                " · " span.pair { "since " (ago_by_wall(since, now)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How a state is shown: colour, shape and words say the same.
struct Look {
    class: &'static str,
    shape: &'static str,
    words: &'static str,
}

impl Look {
    fn of(state: State, current: bool) -> Self {
        let (class, shape, words) = match state {
            _ if !current => ("stale", "stale", "no recent evaluation"),
            State::Ok => ("pass", "pass", "within its threshold"),
            State::InsufficientData => ("starting", "unknown", "too few jobs to say"),
            State::Pending => ("warn", "warn", "over its threshold, not yet for long"),
            State::Firing => ("fail", "fail", "over its threshold"),
        };
        Look {
            class,
            shape,
            words,
        }
    }
}

#[derive(Clone, Copy)]
enum Unit {
    Share,
    Seconds,
}

impl Unit {
    fn told(self, value: Option<f64>) -> String {
        match (self, value) {
            (_, None) => "–".to_owned(),
            (Unit::Share, Some(share)) => format!("{:.1} %", share * 100.0),
            (Unit::Seconds, Some(seconds)) => span(seconds),
        }
    }
}

/// Tenths of a second below a minute, else whole seconds.
fn span(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round() / 10.0;
    if seconds < 0.95 {
        return format!("{:.0} ms", seconds * 1000.0);
    }
    if tenths < 60.0 {
        return format!("{tenths} s");
    }
    // No time that is measured has so many seconds.
    let whole = Duration::try_from_secs_f64(seconds.round()).unwrap_or(Duration::MAX);
    let (minutes, rest) = (whole.as_secs() / 60, whole.as_secs() % 60);
    match (minutes, rest) {
        (60.., _) => words(whole),
        (_, 0) => format!("{minutes} min"),
        _ => format!("{minutes} min {rest} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::examples::jobs::{EVALUATED, board, first_board};

    fn shown(board: &Board, now: OffsetDateTime) -> String {
        markup(board, now).into_string()
    }

    #[test]
    fn each_signal_is_told_in_words_with_value_and_threshold() {
        let page = shown(&board(), EVALUATED + Duration::from_secs(7));
        for told in [
            "of the last 15 min, as webhooks tell",
            "judged <time",
            ">7 s ago<",
            "data-age=\"7000\"",
            "within its threshold",
            "<dd>3.1 %</dd>",
            "<dd>5.0 %</dd>",
            "over its threshold, not yet for long",
            "<dd>5 min 12 s</dd>",
            "<dd>5 min</dd>",
            "<dd>133</dd>",
            "since <time",
            ">34 min ago<",
            "p95 <b>41.3 s</b>",
        ] {
            assert!(page.contains(told), "{told}: {page}");
        }
        // The worst first, and each with its shape.
        let place = |what: &str| page.find(what).unwrap_or_else(|| panic!("{what}: {page}"));
        let (slow, calm) = ("<b>hd</b>", "<b>preview</b>");
        assert!(place(slow) < place(calm));
        assert_eq!(page.matches("href=\"#shape-warn\"").count(), 2);
        assert_eq!(page.matches("href=\"#shape-pass\"").count(), 2);
    }

    #[test]
    fn each_state_has_a_shape_and_words_of_its_own() {
        let looks = State::ALL.map(|state| Look::of(state, true));
        for (index, look) in looks.iter().enumerate() {
            for other in &looks[..index] {
                assert_ne!(look.shape, other.shape);
                assert_ne!(look.words, other.words);
            }
        }
    }

    #[test]
    fn what_is_old_or_was_never_judged_is_said() {
        let old = shown(&board(), EVALUATED + Duration::from_hours(1));
        let never = shown(&first_board(), EVALUATED);
        for page in [&old, &never] {
            assert!(page.contains("no recent evaluation"), "{page}");
            assert!(!page.contains("within its threshold"), "{page}");
        }
        assert!(never.contains("not judged yet") && never.contains("by RunPod’s counters"));
        assert!(never.contains("<dd>–</dd>") && !never.contains("<ul"));
    }

    #[test]
    fn spans_are_told_in_the_unit_that_fits() {
        for (seconds, told) in [
            (0.0, "0 ms"),
            (0.0424, "42 ms"),
            (0.95, "1 s"),
            (1.0, "1 s"),
            (41.25, "41.3 s"),
            (59.94, "59.9 s"),
            (59.96, "1 min"),
            (252.4, "4 min 12 s"),
            (3_599.7, "1 h 0 min"),
            (7_260.0, "2 h 1 min"),
        ] {
            assert_eq!(span(seconds), told, "{seconds}");
        }
        assert!(!span(f64::MAX).is_empty());
    }
}

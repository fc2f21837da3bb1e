//! What `GET /signals` said, and what has changed since: lines for people. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;

use super::pace::{Pace, hh_mm};

/// The body of the answer, as much of it as is shown.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) signals: Signals,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Signals {
    job_failure_rate: Reading,
    processing_latency_p95: Latency,
}

#[derive(Debug, Deserialize)]
struct Latency {
    #[serde(flatten)]
    worst: Reading,
    #[serde(default)]
    models: BTreeMap<String, Reading>,
}

#[derive(Debug, Clone, Deserialize)]
struct Reading {
    state: String,
    value: Option<f64>,
    threshold: f64,
    samples: u64,
    since: Option<String>,
}

/// The signals over a day.
#[derive(Debug)]
pub(crate) struct Board {
    pace: Pace,
    failure_rate: Trail,
    latency: Trail,
}

/// One signal over a day: its last state, and when it fired.
#[derive(Debug)]
struct Trail {
    name: &'static str,
    state: String,
    fired: Vec<(Duration, Option<Duration>)>,
}

impl Board {
    pub(crate) fn new(pace: Pace) -> Self {
        let trail = |name| Trail {
            name,
            state: "insufficient_data".to_owned(),
            fired: Vec::new(),
        };
        Board {
            pace,
            failure_rate: trail("job_failure_rate"),
            latency: trail("processing_latency_p95"),
        }
    }

    /// Takes what was said at `now` of the day; a line for each signal that changed. `moment` reads a `since`.
    pub(crate) fn take(
        &mut self,
        signals: &Signals,
        now: Duration,
        moment: impl Fn(&str) -> Option<Duration>,
    ) -> Vec<String> {
        let at = |reading: &Reading| {
            let since = reading.since.as_deref().and_then(&moment);
            since.map_or(now, |since| since.min(now))
        };
        let rate = &signals.job_failure_rate;
        let latency = &signals.processing_latency_p95;
        let mut lines = Vec::new();
        if let Some(change) = self.failure_rate.moves(&rate.state, at(rate)) {
            lines.push(change + &rate_text(rate));
        }
        if let Some(change) = self.latency.moves(&latency.worst.state, at(&latency.worst)) {
            lines.push(change + &self.latency_text(latency));
        }
        lines
    }

    /// Both signals, for the line of an hour.
    pub(crate) fn summary(&self, signals: &Signals) -> String {
        let (rate, latency) = (&signals.job_failure_rate, &signals.processing_latency_p95);
        format!(
            "failure rate {}{}; p95 {}{}",
            rate.state,
            rate_text(rate),
            latency.worst.state,
            self.latency_text(latency)
        )
    }

    /// When which signal fired, a line each.
    pub(crate) fn fired(&self) -> Vec<String> {
        [&self.failure_rate, &self.latency]
            .map(Trail::fired)
            .to_vec()
    }

    /// The value in seconds of the day, and whose it is where it is over its threshold.
    fn latency_text(&self, latency: &Latency) -> String {
        let Reading {
            state,
            value,
            threshold,
            ..
        } = &latency.worst;
        let Some(value) = value else {
            return String::new();
        };
        let seconds = |real| self.pace.seconds_of_the_day(real);
        let mut text = format!(
            ", {:.0} s, SLO {:.0} s",
            seconds(*value),
            seconds(*threshold)
        );
        if ["pending", "firing"].contains(&state.as_str()) {
            let whose = latency.models.iter().filter(|(_, of)| of.state == *state);
            let whose: Vec<_> = whose.map(|(model, _)| model.as_str()).collect();
            let _ = write!(text, " ({})", whose.join(", "));
        }
        text
    }
}

fn rate_text(reading: &Reading) -> String {
    let Reading {
        value,
        threshold,
        samples,
        ..
    } = reading;
    value.map_or_else(String::new, |value| {
        let (value, threshold) = (value * 100.0, threshold * 100.0);
        format!(", {value:.1} % of {samples} jobs, threshold {threshold:.1} %")
    })
}

impl Trail {
    /// The change, if this is one.
    fn moves(&mut self, state: &str, at: Duration) -> Option<String> {
        if self.state == state {
            return None;
        }
        let line = format!("{}  {}: {} -> {state}", hh_mm(at), self.name, self.state);
        if state == "firing" {
            self.fired.push((at, None));
        } else if let Some((_, until @ None)) = self.fired.last_mut() {
            *until = Some(at);
        }
        state.clone_into(&mut self.state);
        Some(line)
    }

    fn fired(&self) -> String {
        if self.fired.is_empty() {
            return format!("{} did not fire", self.name);
        }
        let spans = self.fired.iter().map(|(from, until)| match until {
            Some(until) => format!("{} to {}", hh_mm(*from), hh_mm(*until)),
            None => format!("{} on", hh_mm(*from)),
        });
        let spans: Vec<_> = spans.collect();
        format!("{} fired {}", self.name, spans.join(", "))
    }
}

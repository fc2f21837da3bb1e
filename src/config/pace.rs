//! Interval, timeout and thresholds of each check.

use std::time::Duration;

use reqwest::Url;

use super::raw::RawPace;
use super::types::{Policy, Problem};
use super::values::{self, Parsed, Reader};
use super::{urls, variables};
use crate::detail::Detail;

const SPAN: &str = "a number with a unit from 1ms to 24h, such as 30s or 500ms";
const THRESHOLD: &str = "a whole number from 1 to 100";

/// The policies of all checks.
pub(super) struct Pace {
    pub(super) general: Policy,
    pub(super) runpod: Policy,
    pub(super) r2: Policy,
    pub(super) warnings: Vec<Detail>,
    /// Where the intervals of the three come from.
    intervals: [&'static str; 3],
    retry_is_set: bool,
}

impl Pace {
    /// A word about each upstream, if it is asked at all, that a slip such as 30ms for 30s would flood.
    pub(super) fn hurried(
        &self,
        api: Option<&Url>,
        runpod: Option<&Url>,
        r2: Option<&Url>,
    ) -> Vec<Detail> {
        const SECOND: Duration = Duration::from_secs(1);
        let asked = [
            ("the main API", api, self.general),
            ("RunPod", runpod, self.runpod),
            ("R2", r2, self.r2),
        ];
        let mut warnings = Vec::new();
        for ((name, upstream, policy), interval) in asked.into_iter().zip(self.intervals) {
            if upstream.is_none_or(urls::is_loopback) {
                continue;
            }
            let variable = if policy.interval < SECOND {
                interval
            } else if self.retry_is_set && policy.retry_interval < SECOND {
                "CHECK_RETRY_INTERVAL"
            } else {
                continue;
            };
            warnings.push(
                Detail::new()
                    .text(variable)
                    .text(" is under 1s, and ")
                    .text(name)
                    .text(" is not on loopback: is the unit right?"),
            );
        }
        warnings
    }
}

/// A duration and the variable that it comes from.
#[derive(Clone, Copy)]
struct Span {
    variable: &'static str,
    value: Duration,
    /// Set by the operator, not by default.
    explicit: bool,
}

/// Reads the pace. A check's own variables go over `CHECK_*`; R2's default interval of 60 s holds only
/// while `CHECK_INTERVAL` is not set.
pub(super) fn pace(raw: &RawPace, reader: &mut Reader) -> Option<Pace> {
    let interval = span("CHECK_INTERVAL", raw.check_interval.as_ref(), reader);
    let timeout = span("CHECK_TIMEOUT", raw.check_timeout.as_ref(), reader);
    let retry = span(
        "CHECK_RETRY_INTERVAL",
        raw.check_retry_interval.as_ref(),
        reader,
    );
    let runpod_interval = own(
        "RUNPOD_CHECK_INTERVAL",
        raw.runpod_check_interval.as_ref(),
        interval,
        reader,
    );
    let runpod_timeout = own(
        "RUNPOD_CHECK_TIMEOUT",
        raw.runpod_check_timeout.as_ref(),
        timeout,
        reader,
    );
    let r2_interval = match (&raw.r2_check_interval, interval) {
        (None, Some(general)) if general.explicit => Some(general),
        (own, _) => span("R2_CHECK_INTERVAL", own.as_ref(), reader),
    };
    let r2_timeout = own(
        "R2_CHECK_TIMEOUT",
        raw.r2_check_timeout.as_ref(),
        timeout,
        reader,
    );
    let failure_threshold = reader.value(
        "FAILURE_THRESHOLD",
        raw.failure_threshold.as_ref(),
        threshold,
    );
    let success_threshold = reader.value(
        "SUCCESS_THRESHOLD",
        raw.success_threshold.as_ref(),
        threshold,
    );

    for (interval, timeout) in [
        (interval, timeout),
        (runpod_interval, runpod_timeout),
        (r2_interval, r2_timeout),
    ] {
        must_fit(timeout, interval, reader);
    }
    let thresholds = (failure_threshold?, success_threshold?);
    let retry = retry?;
    let policy = |interval, timeout| policy(interval, timeout, retry, thresholds);
    let intervals = [interval?, runpod_interval?, r2_interval?].map(|span| span.variable);
    let general = policy(interval?, timeout?);
    let runpod = policy(runpod_interval?, runpod_timeout?);
    let r2 = policy(r2_interval?, r2_timeout?);
    let mut warnings = Vec::new();
    if retry.explicit
        && [general, runpod, r2]
            .iter()
            .any(|p| p.retry_interval < retry.value)
    {
        warnings.push(Detail::new().text(
            "CHECK_RETRY_INTERVAL is longer than the interval of a check; that check is asked at its interval",
        ));
    }
    Some(Pace {
        general,
        runpod,
        r2,
        warnings,
        intervals,
        retry_is_set: retry.explicit,
    })
}

fn span(variable: &'static str, raw: Option<&String>, reader: &mut Reader) -> Option<Span> {
    let day = Duration::from_hours(24);
    let range = Duration::from_millis(1)..=day;
    let value = reader.value(variable, raw, |text| values::duration(text, &range, SPAN))?;
    Some(Span {
        variable,
        value,
        explicit: raw.is_some(),
    })
}

/// A check's own value, else the general one.
fn own(
    variable: &'static str,
    raw: Option<&String>,
    general: Option<Span>,
    reader: &mut Reader,
) -> Option<Span> {
    debug_assert!(variables::find(variable).is_some_and(|variable| variable.default.is_none()));
    if raw.is_some() {
        span(variable, raw, reader)
    } else {
        general
    }
}

fn threshold(text: &str) -> Parsed<u32> {
    values::number(text, 1..=100, THRESHOLD)
}

/// A timeout that is set must fit into the interval; the default one gives way.
fn must_fit(timeout: Option<Span>, interval: Option<Span>, reader: &mut Reader) {
    let (Some(timeout), Some(interval)) = (timeout, interval) else {
        return;
    };
    if timeout.explicit && timeout.value > interval.value {
        reader.note(Problem {
            variable: timeout.variable,
            wrong: Detail::new()
                .text("is longer than ")
                .text(interval.variable),
            accepted: "a timeout of at most the interval",
        });
    }
}

fn policy(
    interval: Span,
    timeout: Span,
    retry: Span,
    (failure_threshold, success_threshold): (u32, u32),
) -> Policy {
    Policy {
        interval: interval.value,
        timeout: timeout.value.min(interval.value),
        retry_interval: retry.value.min(interval.value),
        failure_threshold,
        success_threshold,
    }
}

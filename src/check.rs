//! The contract of a check: a name, its reasons, and one asynchronous function to an [`Outcome`].
//!
//! Timeout, schedule, jitter, retries, thresholds, panic capture, metrics and log lines belong to the
//! monitor and are written once. A check asks and says what it saw.
//!
//! What a caller of this service may see of an outcome is built from statics, numbers and [`Label`]s.
//! There is no way to put an upstream's text into it, so none can leak.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::clock::Clock;
use crate::detail::{Detail, Label};
use crate::reason::{Class, OK, Reason};
use crate::sample::{Family, Sample};

/// What a check is given for one run.
#[derive(Debug, Clone)]
pub struct Context {
    /// The only source of time for a check.
    pub clock: Clock,
    /// How long the run may take. A check that asks several parties gives each of them this limit, so
    /// that one hung party does not cost the others' results; the monitor ends the run a little later.
    pub timeout: Duration,
}

/// A pluggable check: one module that implements this, and one line in `checks/mod.rs`.
pub trait Check: Send + 'static {
    /// Its key in `checks`, its label in metrics and its path under `/health/`; `snake_case`.
    const NAME: &'static str;
    /// The reasons that it can report besides [`crate::reason::COMMON`].
    const REASONS: &'static [&'static Reason];
    /// Whether this check speaks for this very process: a stalled monitor makes it false.
    const ABOUT_THIS_PROCESS: bool = false;
    /// The reasons that take longer than one run to judge, and how long: a single run cannot show them.
    const TIMED: &'static [(&'static Reason, Duration)] = &[];
    /// What it tells besides the verdict, shown as `data` in details.
    type Data: Report;

    /// Asks once. May be dropped at any await point when the time is up.
    fn run(&mut self, cx: &Context) -> impl Future<Output = Outcome<Self::Data>> + Send;
}

/// The data of a check: JSON for details, with its schema for the OpenAPI document, and, where numbers are worth
/// a graph, samples for `/metrics`.
pub trait Report: Serialize + ToSchema + Send + Sync + 'static {
    /// What [`Report::samples`] are of; a sample of another family is not shown.
    const FAMILIES: &'static [&'static Family] = &[];

    /// Adds the samples of one run. They are shown until the next one, or until the result is stale.
    fn samples(&self, _out: &mut Vec<Sample>) {}
}

/// For checks that have nothing to tell besides the verdict.
impl Report for () {}

/// The data of any check, once its type does not matter any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// For details.
    pub json: Value,
    /// For metrics.
    pub samples: Vec<Sample>,
}

impl Reported {
    /// `None` for data that is no JSON.
    pub fn of<D: Report>(data: &D) -> Option<Self> {
        let mut samples = Vec::new();
        data.samples(&mut samples);
        Some(Reported {
            json: serde_json::to_value(data).ok()?,
            samples,
        })
    }
}

/// What one run saw.
#[derive(Debug)]
pub struct Outcome<D> {
    /// Everything worth telling; empty means pass. Order does not matter.
    pub findings: Vec<Finding>,
    /// The check's own data, kept for failures too.
    pub data: Option<D>,
    /// How long the upstream asks us to stay away.
    pub retry_after: Option<Duration>,
}

impl<D> Outcome<D> {
    /// All is well.
    pub fn pass() -> Self {
        Outcome {
            findings: Vec::new(),
            data: None,
            retry_after: None,
        }
    }

    /// One finding and nothing else.
    pub fn of(finding: Finding) -> Self {
        Outcome {
            findings: vec![finding],
            data: None,
            retry_after: None,
        }
    }

    /// The same with data.
    #[must_use]
    pub fn with_data(mut self, data: D) -> Self {
        self.data = Some(data);
        self
    }

    /// The finding that decides: the worst class, the first of several equals.
    pub fn worst(&self) -> Option<&Finding> {
        worst(&self.findings)
    }
}

/// The finding that decides among several: the worst class, the first of equals.
pub fn worst(findings: &[Finding]) -> Option<&Finding> {
    findings
        .iter()
        .rev()
        .max_by_key(|finding| finding.reason.class)
}

/// One reason and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is the case.
    pub reason: &'static Reason,
    /// Which of several parties it is about (a RunPod endpoint's configured name).
    pub subject: Option<Label>,
    /// The specifics, appended to the reason's message.
    pub detail: Detail,
}

impl Finding {
    /// A reason without specifics.
    pub fn new(reason: &'static Reason) -> Self {
        Finding {
            reason,
            subject: None,
            detail: Detail::default(),
        }
    }

    /// The same about one of several parties.
    #[must_use]
    pub fn about(mut self, subject: Label) -> Self {
        self.subject = Some(subject);
        self
    }

    /// The same with specifics.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// How it weighs.
    pub fn class(&self) -> Class {
        self.reason.class
    }

    /// One sentence for people: subject, message, specifics.
    pub fn message(&self) -> String {
        let mut out = String::new();
        if let Some(subject) = &self.subject {
            out.push_str(subject.as_str());
            out.push_str(": ");
        }
        out.push_str(self.reason.message);
        if !self.detail.is_empty() {
            out.push_str(": ");
            out.push_str(&self.detail.to_string());
        }
        out
    }
}

impl Default for Finding {
    fn default() -> Self {
        Finding::new(&OK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::{RATE_LIMITED, TIMEOUT};

    #[test]
    fn worst_is_by_class_then_first() {
        let a = Finding::new(&TIMEOUT).about(Label::new("a").unwrap());
        let b = Finding::new(&TIMEOUT).about(Label::new("b").unwrap());
        let findings = [Finding::new(&RATE_LIMITED), a.clone(), b];
        assert_eq!(worst(&findings), Some(&a));
        assert_eq!(worst(&[]), None);
    }

    #[test]
    fn message_has_subject_sentence_and_specifics() {
        let finding = Finding::new(&TIMEOUT)
            .about(Label::new("main").unwrap())
            .detail(Detail::new().number(5).text(" s"));
        assert_eq!(
            finding.message(),
            "main: did not answer within the timeout: 5 s"
        );
    }
}

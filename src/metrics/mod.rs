//! `/metrics`: from a snapshot and what others count to one page of text.
//!
//! Nothing is kept here. Everything of the checks is read from the snapshot at the moment of the scrape;
//! everything else has a [`Source`], which `app` wires. A family is a static: ours in [`families`], a
//! check's own next to the check.

mod checks;
pub mod families;
mod process;
mod text;

use std::fmt;

use http::StatusCode;

use crate::answers::{Answer, Body, Media};
use crate::calls::Calls;
use crate::sample::{Sample, Value};

pub use checks::Standing;
pub use process::samples as of_process;

/// Adds samples of what somebody counts.
pub type Source = Box<dyn Fn(&mut Vec<Sample>) + Send + Sync>;

/// What the page shows besides the checks and the requests.
#[derive(Default)]
pub struct Metrics(Vec<Source>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metrics({} sources)", self.0.len())
    }
}

impl Metrics {
    /// Adds a source.
    #[must_use]
    pub fn with(mut self, source: impl Fn(&mut Vec<Sample>) + Send + Sync + 'static) -> Self {
        self.0.push(Box::new(source));
        self
    }

    /// Adds the samples of all sources.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        for source in &self.0 {
            source(out);
        }
    }
}

/// Adds what was asked of upstreams.
pub fn of_calls(calls: &Calls, out: &mut Vec<Sample>) {
    for (check, operation, count) in calls.requests() {
        let labels = [check.into(), operation.into()];
        out.push(families::UPSTREAM_REQUESTS.sample(labels, count));
    }
    for (check, phase, total) in calls.phases() {
        let value = Value::Summary {
            count: total.count,
            sum: total.sum,
        };
        let labels = [check.into(), phase.as_str().into()];
        out.push(families::UPSTREAM_PHASE.sample(labels, value));
    }
}

/// The page: always 200, whatever the checks say.
pub fn page(samples: &[Sample]) -> Answer {
    Answer {
        status: StatusCode::OK,
        media: Media::Prometheus,
        body: Body::Whole(text::encode(samples).into()),
    }
}

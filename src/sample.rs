//! Numbers for `/metrics`: families, and samples whose labels cannot hold an upstream's text.
//!
//! A label's value is a literal or a configured name ([`Label`]), so the number of series is bounded by the
//! code and the configuration, and nothing secret can stand in one.

use std::time::Duration;

use crate::detail::Label;
use crate::histogram::Histogram;

/// One metric family: a static, next to what it counts.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// `snake_case`, with its unit; a counter ends in `_total`.
    pub name: &'static str,
    /// One sentence without a final stop.
    pub help: &'static str,
    /// What its values mean.
    pub kind: Kind,
    /// The names of its labels, in the order of a sample's values.
    pub labels: &'static [&'static str],
}

/// What the values of a family mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, and starts over with the process or what it counts at.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution of durations in seconds.
    Histogram,
    /// Sum and count of durations in seconds, without quantiles.
    Summary,
}

impl Kind {
    /// As the text format names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        }
    }
}

/// One series at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What it is one of.
    pub family: &'static Family,
    /// One a label of the family, in its order.
    pub labels: Vec<LabelValue>,
    /// Its value; of the family's kind.
    pub value: Value,
}

impl Family {
    /// One series of this family: one value a label, in their order.
    pub fn sample<const N: usize>(
        &'static self,
        labels: [LabelValue; N],
        value: impl Into<Value>,
    ) -> Sample {
        debug_assert_eq!(labels.len(), self.labels.len(), "{}", self.name);
        Sample {
            family: self,
            labels: labels.into(),
            value: value.into(),
        }
    }
}

/// Declares families: `NAME = Kind "name" ["label", …], "help";` one a line, and `ALL` of them.
macro_rules! families {
    ($($name:ident = $kind:ident $family:literal [$($label:literal),*], $help:literal;)*) => {
        $(#[doc = $help] pub static $name: $crate::sample::Family = $crate::sample::Family {
            name: $family,
            help: $help,
            kind: $crate::sample::Kind::$kind,
            labels: &[$($label),*],
        };)*

        /// All of them, in the order in which people read them.
        pub static ALL: &[&$crate::sample::Family] = &[$(&$name),*];
    };
}
pub(crate) use families;

/// The value of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelValue {
    /// Known when this was compiled.
    Literal(&'static str),
    /// From the configuration.
    Name(Label),
}

impl LabelValue {
    /// The text, not yet escaped.
    pub fn as_str(&self) -> &str {
        match self {
            LabelValue::Literal(text) => text,
            LabelValue::Name(name) => name.as_str(),
        }
    }
}

impl From<&'static str> for LabelValue {
    fn from(text: &'static str) -> Self {
        LabelValue::Literal(text)
    }
}

impl From<&Label> for LabelValue {
    fn from(name: &Label) -> Self {
        LabelValue::Name(name.clone())
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Histogram(Histogram),
    /// Of a summary.
    Summary {
        /// How many.
        count: u64,
        /// Their sum.
        sum: Duration,
    },
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "every value of the format is a double; exact up to 2^53"
        )]
        Value::Number(number as f64)
    }
}

impl From<bool> for Value {
    fn from(holds: bool) -> Self {
        Value::from(u64::from(holds))
    }
}

impl From<Duration> for Value {
    /// In seconds.
    fn from(duration: Duration) -> Self {
        Value::Number(duration.as_secs_f64())
    }
}

impl From<Histogram> for Value {
    fn from(histogram: Histogram) -> Self {
        Value::Histogram(histogram)
    }
}

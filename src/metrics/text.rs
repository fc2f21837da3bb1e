//! The text format 0.0.4. Form and escaping are the library's.

use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType, Summary,
};

use crate::histogram;
use crate::sample::{Kind, Sample, Value};

/// The samples as text, each family in one piece, in the order in which families first appear.
pub(super) fn encode(samples: &[Sample]) -> String {
    let mut families: Vec<MetricFamily> = Vec::new();
    for sample in samples {
        let name = sample.family.name;
        let at = families.iter().position(|family| family.name() == name);
        let at = at.unwrap_or_else(|| {
            families.push(empty(sample));
            families.len() - 1
        });
        families[at].mut_metric().push(metric(sample));
    }
    let mut text = String::with_capacity(32 * 1024);
    if let Err(error) = TextEncoder::new().encode_utf8(&families, &mut text) {
        // Only a family without a name or a sample is refused, and none is made.
        tracing::error!(%error, "metrics could not be rendered");
    }
    text
}

fn empty(sample: &Sample) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(sample.family.name.to_owned());
    family.set_help(sample.family.help.to_owned());
    family.set_field_type(match sample.family.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
        Kind::Summary => MetricType::SUMMARY,
    });
    family
}

fn metric(sample: &Sample) -> Metric {
    let labels = sample.family.labels.iter().zip(&sample.labels);
    let pair = |(name, value): (&&str, &crate::sample::LabelValue)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.as_str().to_owned());
        pair
    };
    let mut metric = Metric::from_label(labels.map(pair).collect());
    match &sample.value {
        Value::Number(number) => {
            // The encoder reads the one that the family's kind names.
            let (mut counter, mut gauge) = (Counter::default(), Gauge::default());
            counter.set_value(*number);
            gauge.set_value(*number);
            metric.set_counter(counter);
            metric.set_gauge(gauge);
        }
        Value::Histogram(durations) => metric.set_histogram(of_histogram(durations)),
        Value::Summary { count, sum } => {
            let mut summary = Summary::default();
            summary.set_sample_count(*count);
            summary.set_sample_sum(sum.as_secs_f64());
            metric.set_summary(summary);
        }
    }
    metric
}

fn of_histogram(durations: &histogram::Histogram) -> Histogram {
    let bucket = |(bound, count)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(count);
        bucket
    };
    let mut histogram = Histogram::default();
    histogram.set_bucket(durations.cumulative().map(bucket).collect());
    histogram.set_sample_count(durations.count());
    histogram.set_sample_sum(durations.sum().as_secs_f64());
    histogram
}

//! The counts of each endpoint as samples. A count that RunPod does not tell is not shown, and so is none
//! that the last run could not read.

use std::time::Duration;

use super::{EndpointData, RunPodData};
use crate::check::{Report, Reported};
use crate::detail::Label;
use crate::sample::{Family, Kind, LabelValue, Sample, Value};

static WORKERS: Family = Family {
    name: "infra_health_runpod_workers",
    help: "Workers by state as RunPod counts them; idle and ready are the same workers, and a running one is up with or without a job, so states are never summed",
    kind: Kind::Gauge,
    labels: &["endpoint", "state"],
};

static JOBS: Family = Family {
    name: "infra_health_runpod_jobs",
    help: "Jobs that wait or are being worked on",
    kind: Kind::Gauge,
    labels: &["endpoint", "state"],
};

static JOBS_TOTAL: Family = Family {
    name: "infra_health_runpod_jobs_total",
    help: "Jobs that ended or were tried again, as RunPod counts them; cancelled ones are left out",
    kind: Kind::Counter,
    labels: &["endpoint", "result"],
};

static LATENCY: Family = Family {
    name: "infra_health_runpod_endpoint_latency_seconds",
    help: "Time that the last call of the endpoint's health URL took, whether it was answered or failed",
    kind: Kind::Gauge,
    labels: &["endpoint"],
};

impl Report for RunPodData {
    const FAMILIES: &'static [&'static Family] = &[&WORKERS, &JOBS, &JOBS_TOTAL, &LATENCY];

    fn samples(&self, out: &mut Vec<Sample>) {
        for endpoint in &self.endpoints {
            endpoint.samples(out);
        }
    }
}

/// The completed and the failed jobs of each endpoint, as RunPod counts them, out of what a run reported; nothing if
/// it is another check's.
pub fn ended_jobs(reported: &Reported) -> Vec<(Label, u64, u64)> {
    let of = |result: &str| {
        let samples = reported
            .samples
            .iter()
            .filter(|sample| *sample.family == JOBS_TOTAL);
        let told = samples.filter_map(|sample| match (&sample.labels[..], &sample.value) {
            ([LabelValue::Name(endpoint), told], Value::Number(count))
                if told.as_str() == result =>
            {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "made of a u64 in `samples`, exact up to 2^53"
                )]
                Some((endpoint.clone(), *count as u64))
            }
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    let failed = of("failed");
    let completed = of("completed").into_iter();
    completed
        .filter_map(|(endpoint, completed)| {
            let (_, failed) = failed.iter().find(|(name, _)| *name == endpoint)?;
            Some((endpoint, completed, *failed))
        })
        .collect()
}

impl EndpointData {
    fn samples(&self, out: &mut Vec<Sample>) {
        let mut add = |family: &'static Family, counts: &[(&'static str, Option<u64>)]| {
            out.extend(counts.iter().filter_map(|&(of, count)| {
                Some(family.sample([(&self.name).into(), of.into()], count?))
            }));
        };
        if let Some(workers) = &self.workers {
            let states = [
                ("idle", workers.idle),
                ("initializing", workers.initializing),
                ("ready", workers.ready),
                ("running", workers.running),
                ("throttled", workers.throttled),
                ("unhealthy", workers.unhealthy),
            ];
            add(&WORKERS, &states);
        }
        if let Some(jobs) = &self.jobs {
            let waiting = [
                ("in_queue", jobs.in_queue),
                ("in_progress", jobs.in_progress),
            ];
            add(&JOBS, &waiting);
            let ended = [
                ("completed", jobs.completed),
                ("failed", jobs.failed),
                ("retried", jobs.retried),
            ];
            add(&JOBS_TOTAL, &ended);
        }
        let latency = Duration::from_millis(self.latency_ms);
        out.push(LATENCY.sample([(&self.name).into()], latency));
    }
}

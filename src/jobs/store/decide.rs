//! What a batch of deliveries makes of its jobs. Pure: both databases ask it between reading and writing.

use std::collections::{HashMap, HashSet};

use crate::jobs::event::Delivery;
use crate::jobs::lifecycle::{Job, Verdict};

use super::types::Stored;

/// What is to be written of a batch, and what to answer.
pub(super) struct Decided<'a> {
    /// One a delivery, in the order of the batch.
    pub(super) stored: Vec<Stored>,
    /// The deliveries that are new, in the order of the batch.
    pub(super) events: Vec<(&'a Delivery, Verdict)>,
    /// The jobs that are not as they were.
    pub(super) jobs: Vec<Job>,
}

/// Applies `batch` in its order. `seen[n]`: the store knows id or digest of the nth; `jobs`: as they stand in the
/// store, at least those of the new deliveries.
pub(super) fn decide<'a>(
    batch: &'a [Delivery],
    seen: &[bool],
    mut jobs: HashMap<String, Job>,
) -> Decided<'a> {
    let (mut ids, mut digests) = (HashSet::new(), HashSet::new());
    let (mut stored, mut events) = (Vec::with_capacity(batch.len()), Vec::new());
    let mut changed = HashSet::new();
    for (delivery, seen) in batch.iter().zip(seen) {
        let known = *seen
            || ids.contains(delivery.delivery_id.as_str())
            || digests.contains(&delivery.digest);
        if known {
            // Neither its id nor its digest is noted: only what is kept makes a duplicate.
            stored.push(Stored::Duplicate);
            continue;
        }
        ids.insert(delivery.delivery_id.as_str());
        digests.insert(delivery.digest);
        let known = jobs.remove(&delivery.job_id);
        let before = known.clone();
        let (job, verdict) = Job::apply(known, delivery);
        if job != before {
            changed.insert(delivery.job_id.as_str());
        }
        if let Some(job) = &job {
            jobs.insert(job.job_id.clone(), job.clone());
        }
        events.push((delivery, verdict));
        stored.push(Stored::Recorded {
            verdict,
            before: before.map(Box::new),
            job: job.map(Box::new),
        });
    }
    jobs.retain(|id, _| changed.contains(id.as_str()));
    Decided {
        stored,
        events,
        jobs: jobs.into_values().collect(),
    }
}

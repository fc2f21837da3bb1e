//! Deliveries as the room hands them to the store.

use std::time::Instant;

use bytes::Bytes;
use infra_health::jobs::event::{Delivery, Facts, Source, Status, Told};
use infra_health::jobs::lifecycle::Verdict;
use infra_health::jobs::store::{Kind, Store, Stored};
use sha2::{Digest, Sha256};

use crate::support::raw::DEADLINE;

/// A delivery of its own id and digest.
pub(crate) fn delivery(id: &str, job_id: &str, told: Told, at: i64) -> Delivery {
    Delivery {
        source: Source::Webhook,
        delivery_id: id.to_owned(),
        digest: digest(id),
        received_at: at,
        at,
        told,
        event: Some(format!("job.{}", told.as_str())),
        job_id: job_id.to_owned(),
        facts: Facts::default(),
        request_id: format!("req_{id}"),
        signature: Some(digest("signature")),
        body: Bytes::from(format!("{{\"job_id\":\"{job_id}\"}}")),
    }
}

/// A delivery of the job's way: its id follows from job and status.
pub(crate) fn reached(job_id: &str, status: Status, at: i64) -> Delivery {
    let id = format!("{job_id}-{}", status.as_str());
    delivery(&id, job_id, Told::Reached(status), at)
}

pub(crate) fn digest(of: &str) -> [u8; 32] {
    Sha256::digest(of).into()
}

/// Writes them as one batch and says of each what it was, `None` for a duplicate. As long as somebody else has the lock
/// nothing was kept, and it tries again: who else writes may have no processor for a while.
pub(crate) async fn verdicts(store: &Store, batch: &[Delivery]) -> Vec<Option<Verdict>> {
    let begun = Instant::now();
    let stored = loop {
        match store.write(batch).await {
            Err(error) if error.kind == Kind::Locked && begun.elapsed() < DEADLINE => {}
            written => break written.unwrap(),
        }
    };
    assert_eq!(stored.len(), batch.len());
    stored.iter().map(verdict).collect()
}

pub(crate) fn verdict(stored: &Stored) -> Option<Verdict> {
    match stored {
        Stored::Duplicate => None,
        Stored::Recorded { verdict, .. } => Some(*verdict),
    }
}

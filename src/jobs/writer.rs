//! The one task that writes. Many deliveries share a transaction, so one flush of the disk serves all that came while
//! the last one was under way; its queue is the back-pressure.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::counts::Counts;
use super::door::Memory;
use super::event::Delivery;
use super::journal;
use super::store::{Kind, Store, StoreError, Stored};
use super::trouble::Trouble;

/// Deliveries of one transaction at most.
const BATCH: usize = 512;

/// For one transaction. Below the time that a sender waits for its answer.
const LIMIT: Duration = Duration::from_secs(4);

/// Transactions in a row that failed, of which none is known to be the connection's fault: then it may be.
const MANY: u32 = 3;

/// A delivery that waits for its place in the store.
pub(super) struct Queued {
    pub(super) delivery: Delivery,
    pub(super) answer: oneshot::Sender<Result<Stored, StoreError>>,
    /// Given back once it is durable.
    pub(super) memory: Memory,
}

/// The queue's end, which outlives the task that reads it.
pub(super) type Queue = Arc<Mutex<mpsc::Receiver<Queued>>>;

/// Writes until the store is lost.
pub(super) async fn write(
    store: Store,
    queue: Queue,
    counts: Arc<Counts>,
) -> Result<(), StoreError> {
    let mut queue = queue.lock().await;
    let mut trouble = Trouble::default();
    let mut failed = 0;
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        // Nobody waits for these any more; their senders have been told to come again.
        batch.retain(|queued| !queued.answer.is_closed());
        if batch.is_empty() {
            continue;
        }
        let Err(error) = commit(&store, &mut batch, &counts).await else {
            trouble.worked();
            failed = 0;
            continue;
        };
        trouble.failed("write", &error, Instant::now());
        failed += 1;
        if error.kind.is_lasting() || (failed >= MANY && error.kind.may_last()) {
            return Err(error);
        }
    }
    Ok(())
}

/// Writes the batch and answers each of it; empty afterwards. An error if nothing of it could be written.
async fn commit(store: &Store, batch: &mut Vec<Queued>, counts: &Counts) -> Result<(), StoreError> {
    let (deliveries, waiting): (Vec<_>, Vec<_>) = batch
        .drain(..)
        .map(|queued| (queued.delivery, (queued.answer, queued.memory)))
        .unzip();
    let outcomes = outcomes(store, &deliveries, counts).await;
    let error = outcomes
        .iter()
        .find_map(|outcome| outcome.as_ref().err().cloned());
    let is_lost = outcomes.iter().all(Result::is_err);
    for ((delivery, (answer, _memory)), outcome) in deliveries.iter().zip(waiting).zip(outcomes) {
        if let Ok(stored) = &outcome {
            counts.stored(delivery, stored);
            journal::stored(delivery, stored);
        }
        // Whoever has gone by now has been told to come again, and will be a duplicate then.
        let _ = answer.send(outcome);
    }
    error.filter(|_| is_lost).map_or(Ok(()), Err)
}

/// What became of each. One that the database does not take must not take the others with it.
async fn outcomes(
    store: &Store,
    deliveries: &[Delivery],
    counts: &Counts,
) -> Vec<Result<Stored, StoreError>> {
    match transaction(store, deliveries, counts).await {
        Ok(stored) => stored.into_iter().map(Ok).collect(),
        Err(error) if error.kind == Kind::Other && deliveries.len() > 1 => {
            let mut outcomes = Vec::with_capacity(deliveries.len());
            for one in deliveries.chunks(1) {
                let stored = transaction(store, one, counts).await;
                outcomes.extend(match stored {
                    Ok(stored) => stored.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                });
            }
            outcomes
        }
        Err(error) => vec![Err(error); deliveries.len()],
    }
}

async fn transaction(
    store: &Store,
    deliveries: &[Delivery],
    counts: &Counts,
) -> Result<Vec<Stored>, StoreError> {
    let begun = Instant::now();
    let written = timeout(LIMIT, store.write(deliveries)).await;
    counts.commits.record(begun.elapsed());
    let written = written.unwrap_or(Err(StoreError::of(Kind::Timeout)));
    if let Err(error) = &written {
        counts.store_error(error.kind);
    }
    written
}

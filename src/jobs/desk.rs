//! The way to the room's thread, and that thread's start.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};

use super::door::{Memory, Receipt, Refusal};
use super::evaluator::Evaluator;
use super::event::Delivery;
use super::keeper::Keeper;
use super::store::{Store, StoreError, Stored};
use super::writer::Queued;
use crate::config::secret::Current;
use crate::config::{Database, Jobs};
use crate::panics;

/// A sender waits no longer for its answer: many give up after 10 s.
const PATIENCE: Duration = Duration::from_secs(5);
/// Deliveries that wait for the store at most.
const QUEUE: usize = 2048;
/// After a panic of the keeper itself.
const RESTART: Duration = Duration::from_secs(1);
/// Questions that are put to the store at a time.
const READERS: usize = 4;

const CLOSED: Refusal = Refusal::unavailable("the job store is not open", 5);
const SLOW: Refusal = Refusal::unavailable("the job store is slow", 5);
const CROWDED: Refusal = Refusal::unavailable("too many deliveries wait for the job store", 1);

/// The way to the room's thread.
#[derive(Debug)]
pub(super) struct Desk {
    runtime: Handle,
    queue: mpsc::Sender<Queued>,
    readers: Arc<Semaphore>,
    store: watch::Receiver<Option<Store>>,
}

impl Desk {
    /// Starts the thread.
    pub(super) fn open(
        settings: &Jobs,
        database: Current<Database>,
        evaluator: Evaluator,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (queue, received) = mpsc::channel(QUEUE);
        let (opened, store) = watch::channel(None);
        let desk = Desk {
            runtime: runtime.handle().clone(),
            queue,
            readers: Arc::new(Semaphore::new(READERS)),
            store,
        };
        let keeper = Keeper {
            settings: settings.clone(),
            database,
            clock: evaluator.clock,
            queue: Arc::new(Mutex::new(received)),
            store: opened,
            counts: Arc::clone(&evaluator.counts),
            evaluator,
        };
        std::thread::Builder::new()
            .name("jobs".to_owned())
            .spawn(move || runtime.block_on(keep(keeper)))?;
        Ok(desk)
    }

    /// Does `work` on the room's thread: a body's digest and its parsing are not felt by other requests. It ends when
    /// nobody waits for it any more.
    pub(super) async fn within<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let task = AbortOnDrop(self.runtime.spawn(work));
        match timeout(PATIENCE, task).await {
            Ok(Ok(done)) => done,
            // The panic has told its place.
            Ok(Err(_)) => Err(CLOSED),
            Err(_) => Err(SLOW),
        }
    }

    /// Puts a delivery into the queue, and returns once it is durable.
    pub(super) async fn keep(
        &self,
        delivery: Delivery,
        memory: Memory,
    ) -> Result<Receipt, Refusal> {
        if self.store.borrow().is_none() {
            return Err(CLOSED);
        }
        let receipt = Receipt {
            duplicate: false,
            delivery_id: delivery.delivery_id.clone(),
            job_id: delivery.job_id.clone(),
        };
        let (answer, stored) = oneshot::channel();
        let queued = Queued {
            delivery,
            answer,
            memory,
        };
        self.queue.try_send(queued).map_err(|_| CROWDED)?;
        // Dropped when the store goes, or with the task that writes.
        let stored = stored.await.map_err(|_| CLOSED)??;
        Ok(Receipt {
            duplicate: matches!(stored, Stored::Duplicate),
            ..receipt
        })
    }

    /// Puts a question to the store.
    pub(super) async fn ask<T: Send + 'static, F>(
        &self,
        question: impl FnOnce(Store) -> F + Send + 'static,
    ) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (readers, store) = (Arc::clone(&self.readers), self.store.clone());
        self.within(async move {
            let _turn = readers.acquire_owned().await.map_err(|_| CLOSED)?;
            let store = store.borrow().clone().ok_or(CLOSED)?;
            Ok(question(store).await?)
        })
        .await
    }

    /// Deliveries that wait for the store.
    pub(super) fn queued(&self) -> u64 {
        let queued = self.queue.max_capacity() - self.queue.capacity();
        u64::try_from(queued).unwrap_or(u64::MAX)
    }
}

/// Until nobody can come to the door any more, whatever happens.
async fn keep(mut keeper: Keeper) {
    while let Err(place) = panics::catch_async(keeper.run()).await {
        tracing::error!(place, "the job room's keeper panicked and begins anew");
        keeper.counts.restarted();
        sleep(RESTART).await;
    }
}

/// A task that does not outlive who waits for it.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

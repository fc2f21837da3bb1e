//! The room's door: it takes deliveries, shows jobs and signals.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

use super::counts::{Counts, of_board};
use super::evaluator::Evaluator;
use super::event::{Delivery, Source, counted};
use super::feed::Feed;
use super::intake;
use super::journal;
use super::keeper::Keeper;
use super::lifecycle::Job;
use super::signals::board::{Basis, Board};
use super::signature;
use super::store::{Kind, Store, StoreError, Stored, Trail, Wanted};
use super::writer::Queued;
use crate::clock::Clock;
use crate::config::secret::Current;
use crate::config::{Database, JobWebhooks, Jobs};
use crate::sample::Sample;

/// A sender waits no longer for its answer: many give up after 10 s.
const PATIENCE: Duration = Duration::from_secs(5);
/// Deliveries that wait for the store at most.
const QUEUE: usize = 2048;
/// Questions that are put to the store at a time.
const READERS: usize = 4;

/// A webhook's request, its body whole.
#[derive(Debug)]
pub struct Incoming {
    /// All headers of it.
    pub headers: HeaderMap,
    /// The body, at most 1 MiB.
    pub body: Bytes,
    /// The id of the request, as in the log.
    pub request_id: String,
}

/// A delivery that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// It was known already and had no effect.
    pub duplicate: bool,
    /// The sender's id of it.
    pub delivery_id: String,
    /// Which job it told of.
    pub job_id: String,
}

/// Why the room did not do what it was asked. Messages are for callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Signature or timestamp: 401.
    InvalidSignature(&'static str),
    /// No token of ours, or no such webhook: 404 as for any unknown path.
    WrongToken,
    /// Headers or body: 400.
    Invalid(&'static str),
    /// Not now: 503; nothing was kept, or it cannot be known whether.
    Unavailable {
        /// What is the matter, for the log.
        cause: &'static str,
        /// Seconds until another try can succeed.
        retry_after: u64,
    },
}

impl Refusal {
    const fn unavailable(cause: &'static str, retry_after: u64) -> Self {
        Refusal::Unavailable { cause, retry_after }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        // A full disk is somebody's to see to; a lock passes.
        let retry_after = match error.kind {
            Kind::Locked => 1,
            Kind::Full | Kind::ReadOnly | Kind::Corrupt | Kind::Schema => 30,
            _ => 5,
        };
        Refusal::unavailable(error.kind.as_str(), retry_after)
    }
}

const CLOSED: Refusal = Refusal::unavailable("the job store is not open", 5);
const SLOW: Refusal = Refusal::unavailable("the job store is slow", 5);
const CROWDED: Refusal = Refusal::unavailable("too many deliveries wait for the job store", 1);

/// What the room is made from.
#[derive(Debug)]
pub struct Setup {
    /// Its settings.
    pub settings: Jobs,
    /// What webhooks are checked against.
    pub webhooks: Current<JobWebhooks>,
    /// Where jobs are kept.
    pub database: Current<Database>,
    /// The only source of time.
    pub clock: Clock,
}

/// The room's door. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Jobs,
    webhooks: Current<JobWebhooks>,
    clock: Clock,
    board: watch::Receiver<Arc<Board>>,
    counts: Arc<Counts>,
    /// `None` without webhooks.
    desk: Option<Desk>,
}

/// The way to the room's thread.
#[derive(Debug)]
struct Desk {
    runtime: Handle,
    queue: mpsc::Sender<Queued>,
    readers: Arc<Semaphore>,
    store: watch::Receiver<Option<Store>>,
}

impl Room {
    /// Starts the room: with webhooks on a thread of its own; without them there is none, and no store, and what the
    /// signals are is told by who feeds RunPod's counters to the [`Feed`].
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(setup: Setup) -> io::Result<(Self, Option<Feed>)> {
        let Setup {
            settings,
            webhooks,
            database,
            clock,
        } = setup;
        let with_webhooks = settings.takes_webhooks || settings.takes_runpod;
        let basis = if with_webhooks {
            Basis::Webhooks
        } else {
            Basis::RunPodCounters
        };
        let (publish, board) = watch::channel(Board::blank(basis, &settings.signals));
        let counts = Arc::new(Counts::new(&settings.signals, counted(&settings)));
        let publish = Arc::new(publish);
        let (desk, feed) = if with_webhooks {
            let evaluator = Evaluator {
                settings: settings.clone(),
                clock,
                board: publish,
                counts: Arc::clone(&counts),
            };
            (Some(Desk::open(&settings, database, evaluator)?), None)
        } else {
            (
                None,
                Some(Feed::new(settings.signals.clone(), clock, publish)),
            )
        };
        let inner = Inner {
            settings,
            webhooks,
            clock,
            board,
            counts,
            desk,
        };
        Ok((Room(Arc::new(inner)), feed))
    }

    /// Takes a delivery of `POST /webhooks/jobs`; returns once it is durable, after 5 s at most.
    pub async fn webhook(&self, incoming: Incoming) -> Result<Receipt, Refusal> {
        let taken = match self.desk(self.0.settings.takes_webhooks) {
            Ok(desk) => {
                let inner = Arc::clone(&self.0);
                desk.within(async move {
                    let known = inner.webhooks.get();
                    let now = inner.clock.now().wall;
                    let delivery = intake::webhook(&incoming, &known, inner.settings.max_age, now)?;
                    inner.store(delivery).await
                })
                .await
            }
            Err(refusal) => Err(refusal),
        };
        self.count(Source::Webhook, taken)
    }

    /// Whether `token` is one of `RUNPOD_WEBHOOK_TOKEN`: to be asked before a body is read. A wrong one is counted.
    pub fn is_runpods(&self, token: &str) -> bool {
        let is_ours = signature::is_token(&self.0.webhooks.get().runpod_tokens, token);
        if !is_ours {
            self.0
                .counts
                .answered(Source::RunPod, Err(Refusal::WrongToken));
        }
        is_ours
    }

    /// Takes a delivery of `POST /webhooks/runpod/{token}` whose token [`Room::is_runpods`] knew; likewise.
    pub async fn runpod(&self, incoming: Incoming) -> Result<Receipt, Refusal> {
        let taken = match self.desk(self.0.settings.takes_runpod) {
            Ok(desk) => {
                let inner = Arc::clone(&self.0);
                desk.within(async move {
                    let delivery = intake::runpod(&incoming, inner.clock.now().wall)?;
                    inner.store(delivery).await
                })
                .await
            }
            Err(refusal) => Err(refusal),
        };
        self.count(Source::RunPod, taken)
    }

    /// A job and its events; `None` if nothing is known under that id.
    pub async fn job(&self, job_id: &str) -> Result<Option<Trail>, Refusal> {
        let job_id = job_id.to_owned();
        self.ask(async move |store: Store| store.job(&job_id).await)
            .await
    }

    /// Jobs, newest change first.
    pub async fn list(&self, wanted: Wanted) -> Result<Vec<Job>, Refusal> {
        self.ask(async move |store: Store| store.list(&wanted).await)
            .await
    }

    /// The signals as they were last judged.
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.0.board.borrow())
    }

    /// The same, to be followed.
    pub fn boards(&self) -> watch::Receiver<Arc<Board>> {
        self.0.board.clone()
    }

    /// Adds what the room counts; without webhooks the signals alone.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        of_board(&self.board(), out);
        if let Some(desk) = &self.0.desk {
            let queued = desk.queue.max_capacity() - desk.queue.capacity();
            self.0
                .counts
                .samples(u64::try_from(queued).unwrap_or(u64::MAX), out);
        }
    }

    fn desk(&self, wanted: bool) -> Result<&Desk, Refusal> {
        self.0
            .desk
            .as_ref()
            .filter(|_| wanted)
            .ok_or(Refusal::WrongToken)
    }

    fn count(&self, source: Source, taken: Result<Receipt, Refusal>) -> Result<Receipt, Refusal> {
        let answer = taken
            .as_ref()
            .map(|receipt| receipt.duplicate)
            .map_err(|refusal| *refusal);
        self.0.counts.answered(source, answer);
        taken
    }

    async fn ask<T: Send + 'static, F>(
        &self,
        question: impl FnOnce(Store) -> F + Send + 'static,
    ) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let desk = self.desk(true)?;
        let (readers, store) = (Arc::clone(&desk.readers), desk.store.clone());
        desk.within(async move {
            let _turn = readers.acquire_owned().await.map_err(|_| CLOSED)?;
            let store = store.borrow().clone().ok_or(CLOSED)?;
            Ok(question(store).await?)
        })
        .await
    }
}

impl Inner {
    async fn store(&self, delivery: Delivery) -> Result<Receipt, Refusal> {
        journal::failure(&delivery);
        let desk = self
            .desk
            .as_ref()
            .filter(|desk| desk.store.borrow().is_some())
            .ok_or(CLOSED)?;
        let receipt = Receipt {
            duplicate: false,
            delivery_id: delivery.delivery_id.clone(),
            job_id: delivery.job_id.clone(),
        };
        let (answer, stored) = oneshot::channel();
        let queued = Queued { delivery, answer };
        desk.queue.try_send(queued).map_err(|_| CROWDED)?;
        // Dropped when the store goes, or with the task that writes.
        let stored = stored.await.map_err(|_| CLOSED)??;
        Ok(Receipt {
            duplicate: matches!(stored, Stored::Duplicate),
            ..receipt
        })
    }
}

impl Desk {
    fn open(
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
            .spawn(move || runtime.block_on(keeper.run()))?;
        Ok(desk)
    }

    /// Does `work` on the room's thread: a body's digest and its parsing are not felt by other requests. What a caller
    /// does not wait for goes on.
    async fn within<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        match timeout(PATIENCE, self.runtime.spawn(work)).await {
            Ok(Ok(done)) => done,
            // The panic has told its place.
            Ok(Err(_)) => Err(CLOSED),
            Err(_) => Err(SLOW),
        }
    }
}

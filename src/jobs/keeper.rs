//! Keeps the store open: opens and migrates it in the background, runs the tasks that work with it, and begins anew
//! whenever one of them ends, whyever.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::counts::Counts;
use super::evaluator::Evaluator;
use super::pruner::prune;
use super::store::{Kind, Store, StoreError};
use super::trouble::Trouble;
use super::writer::{Queue, write};
use crate::clock::Clock;
use crate::config::secret::Current;
use crate::config::{Database, Jobs};

/// For connecting and migrating.
const OPEN: Duration = Duration::from_mins(5);
/// For closing.
const CLOSE: Duration = Duration::from_secs(5);
/// Between two tries, doubled up to the longest.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(15);
/// A session this long was a good one: the next try comes soon.
const GOOD: Duration = Duration::from_secs(30);

/// What the keeper works with.
pub(super) struct Keeper {
    pub(super) settings: Jobs,
    pub(super) database: Current<Database>,
    pub(super) clock: Clock,
    pub(super) queue: Queue,
    pub(super) store: watch::Sender<Option<Store>>,
    pub(super) evaluator: Evaluator,
    pub(super) counts: Arc<Counts>,
}

/// Why a session is over.
enum End {
    Lost(StoreError),
    /// `JOBS_DATABASE_URL` has another content.
    Moved,
    /// A bug: a task panicked.
    Broken,
    /// The door is gone.
    Left,
}

impl Keeper {
    /// Ends once nobody can come to the door any more.
    pub(super) async fn run(&mut self) {
        let mut trouble = Trouble::default();
        let mut pause = SHORTEST;
        loop {
            match self.open().await {
                Ok(store) => {
                    trouble.worked();
                    let begun = Instant::now();
                    match self.session(store).await {
                        End::Lost(error) => trouble.failed("go on", &error, Instant::now()),
                        End::Moved => tracing::info!("job store is opened elsewhere"),
                        End::Broken => self.counts.restarted(),
                        End::Left => {}
                    }
                    if begun.elapsed() >= GOOD {
                        pause = SHORTEST;
                    }
                }
                Err(error) => {
                    self.counts.store_error(error.kind);
                    trouble.failed("open", &error, Instant::now());
                }
            }
            if self.queue.lock().await.is_closed() {
                return;
            }
            tokio::select! {
                () = sleep(pause.mul_f64(0.8 + 0.4 * fastrand::f64())) => {}
                () = self.database.changed() => {}
            }
            pause = (pause * 2).min(LONGEST);
        }
    }

    async fn open(&mut self) -> Result<Store, StoreError> {
        let database = self.database.latest();
        timeout(OPEN, Store::open(&database))
            .await
            .unwrap_or(Err(StoreError::of(Kind::Timeout)))
    }

    /// Works with the store until it is over, and leaves nobody waiting.
    async fn session(&mut self, store: Store) -> End {
        let mut tasks = JoinSet::new();
        tasks.spawn(write(
            store.clone(),
            Arc::clone(&self.queue),
            Arc::clone(&self.counts),
        ));
        let judging = self.evaluator.clone().run(store.clone());
        tasks.spawn(async move { match judging.await {} });
        let pruning = prune(
            store.clone(),
            self.settings.clone(),
            self.clock,
            Arc::clone(&self.counts),
        );
        tasks.spawn(async move { match pruning.await {} });
        self.store.send_replace(Some(store.clone()));
        self.counts.store_up(true);
        tracing::info!("job store is open");
        let end = tokio::select! {
            ended = tasks.join_next() => match ended {
                Some(Ok(Err(error))) => End::Lost(error),
                Some(Ok(Ok(()))) | None => End::Left,
                // The panic has told its place.
                Some(Err(_)) => End::Broken,
            },
            () = self.database.changed() => End::Moved,
        };
        self.store.send_replace(None);
        self.counts.store_up(false);
        self.evaluator.outdate();
        tasks.shutdown().await;
        // What came while the store went: its senders are told to come again.
        let mut queue = self.queue.lock().await;
        while queue.try_recv().is_ok() {}
        drop(queue);
        let _ = timeout(CLOSE, store.close()).await;
        end
    }
}

//! The room as the rest of the service sees it: it takes deliveries, shows jobs and signals.

use std::io;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::watch;

use super::counts::{Counts, of_board};
use super::desk::Desk;
use super::door::{Incoming, Receipt, Refusal};
use super::evaluator::Evaluator;
use super::event::{Source, counted};
use super::feed::Feed;
use super::intake;
use super::lifecycle::Job;
use super::signals::board::{Basis, Board};
use super::signature;
use super::store::{Store, Trail, Wanted};
use crate::clock::Clock;
use crate::config::secret::Current;
use crate::config::{Database, JobWebhooks, Jobs};
use crate::sample::Sample;

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
                    inner.desk()?.keep(delivery, incoming.memory).await
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
                    inner.desk()?.keep(delivery, incoming.memory).await
                })
                .await
            }
            Err(refusal) => Err(refusal),
        };
        self.count(Source::RunPod, taken)
    }

    /// Counts a delivery that was refused before its body was whole.
    pub fn turned_away(&self, source: Source, for_want_of_room: bool) {
        let refusal = if for_want_of_room {
            Refusal::unavailable("", 1)
        } else {
            Refusal::Invalid("")
        };
        self.0.counts.answered(source, Err(refusal));
    }

    /// By the room's clock.
    pub fn now(&self) -> OffsetDateTime {
        self.0.clock.now().wall
    }

    /// A job and its events; `None` if nothing is known under that id.
    pub async fn job(&self, job_id: &str) -> Result<Option<Trail>, Refusal> {
        let job_id = job_id.to_owned();
        self.desk(true)?
            .ask(async move |store: Store| store.job(&job_id).await)
            .await
    }

    /// Jobs, newest change first.
    pub async fn list(&self, wanted: Wanted) -> Result<Vec<Job>, Refusal> {
        self.desk(true)?
            .ask(async move |store: Store| store.list(&wanted).await)
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
            self.0.counts.samples(desk.queued(), out);
        }
    }

    fn desk(&self, wanted: bool) -> Result<&Desk, Refusal> {
        self.0
            .desk()
            .ok()
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
}

impl Inner {
    fn desk(&self) -> Result<&Desk, Refusal> {
        self.desk.as_ref().ok_or(Refusal::WrongToken)
    }
}

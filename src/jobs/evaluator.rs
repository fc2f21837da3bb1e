//! The task that judges the signals, again and again, from what the store knows of all replicas.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::counts::Counts;
use super::event::counted;
use super::intake::milliseconds;
use super::signals::board::{Basis, Board};
use super::signals::judge::judge;
use super::store::{Kind, Store, StoreError};
use super::trouble::Trouble;
use crate::clock::Clock;
use crate::config::Jobs;

const LIMIT: Duration = Duration::from_secs(10);

/// What it needs besides the store.
#[derive(Clone)]
pub(super) struct Evaluator {
    pub(super) settings: Jobs,
    pub(super) clock: Clock,
    pub(super) board: Arc<watch::Sender<Arc<Board>>>,
    pub(super) counts: Arc<Counts>,
}

impl Evaluator {
    /// Judges for ever. Whether the store is lost is the writer's to say: deliveries are taken though signals are not judged.
    pub(super) async fn run(self, store: Store) -> Infallible {
        let mut ticks = interval(Board::interval(self.settings.signals.window));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut trouble = Trouble::default();
        loop {
            ticks.tick().await;
            let judged = timeout(LIMIT, self.evaluate(&store)).await;
            let judged = judged.unwrap_or(Err(StoreError::of(Kind::Timeout)));
            match judged {
                Ok(board) => {
                    trouble.worked();
                    self.board.send_replace(board);
                }
                Err(error) => {
                    self.counts.store_error(error.kind);
                    trouble.failed("evaluate the signals", &error, Instant::now());
                    self.outdate();
                }
            }
        }
    }

    /// Says that what is known of the signals is of the past.
    pub(super) fn outdate(&self) {
        self.board.send_modify(|board| *board = board.outdated());
    }

    async fn evaluate(&self, store: &Store) -> Result<Arc<Board>, StoreError> {
        let settings = &self.settings.signals;
        let now = milliseconds(self.clock.now().wall);
        let span = i64::try_from(settings.window.as_millis()).unwrap_or(i64::MAX);
        let slices = store
            .window(now.saturating_sub(span), now, counted(&self.settings))
            .await?;
        let judged = judge(&slices, &store.kept().await?, settings, now);
        store.keep(&judged.kept).await?;
        Ok(Board::of(judged, Basis::Webhooks, settings, now))
    }
}

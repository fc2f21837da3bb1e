//! The job room within the service: how it is started, and where its signals come from without webhooks.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::answers::Published;
use crate::checks::runpod::ended_jobs;
use crate::clock::Clock;
use crate::config::{Config, Live};
use crate::jobs::signals::{self, counters::Counted};
use crate::jobs::{Feed, Room, Setup};

/// Opens the room; what it returns besides has to be fed by [`feed`].
pub(super) fn start(config: &Config, live: &Live, clock: Clock) -> io::Result<(Room, Option<Feed>)> {
    Room::start(Setup {
        settings: config.jobs.clone(),
        webhooks: live.job_webhooks.clone(),
        database: live.job_database.clone(),
        clock,
    })
}

/// Hands what the check of RunPod's endpoints counts on to the signals, for ever.
pub(super) async fn feed(
    mut feed: Feed,
    published: watch::Receiver<Arc<Published>>,
    settings: crate::config::Signals,
) -> Infallible {
    let mut ticks = interval(signals::interval(&settings));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Jobs leave the window without anything being published.
        ticks.tick().await;
        let snapshot = Arc::clone(&published.borrow());
        let runs = snapshot.snapshot.checks.iter().filter_map(|check| check.state.last.as_ref());
        let ended = runs.filter_map(|run| run.data.as_ref()).flat_map(ended_jobs);
        let counted = ended.map(|(endpoint, completed, failed)| (endpoint, Counted { completed, failed }));
        feed.observe(&counted.collect::<Vec<_>>());
    }
}

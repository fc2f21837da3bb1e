//! The job room within the service: how it is started, and where its signals come from without webhooks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::answers::Published;
use crate::checks::runpod::ended_jobs;
use crate::clock::Clock;
use crate::config::{Config, Live};
use crate::detail::Label;
use crate::jobs::signals::board::Board;
use crate::jobs::signals::counters::Counted;
use crate::jobs::{Feed, Room, Setup};
use crate::panics;

/// Opens the room; what it returns besides has to be fed by [`feed`].
pub(super) fn start(
    config: &Config,
    live: &Live,
    clock: Clock,
) -> io::Result<(Room, Option<Feed>)> {
    Room::start(Setup {
        settings: config.jobs.clone(),
        webhooks: live.job_webhooks.clone(),
        database: live.job_database.clone(),
        clock,
    })
}

/// Hands what the check of RunPod's endpoints counts on to the signals, for ever, whatever happens to it.
pub(super) async fn feed(
    mut feed: Feed,
    published: watch::Receiver<Arc<Published>>,
    window: Duration,
) {
    let mut ticks = interval(Board::interval(window));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Jobs leave the window without anything being published.
        ticks.tick().await;
        let newest = Arc::clone(&published.borrow());
        if let Err(place) = panics::catch(|| feed.observe(&counted(&newest))) {
            tracing::error!(place, "job signals could not be judged");
        }
    }
}

fn counted(published: &Published) -> Vec<(Label, Counted)> {
    let checks = published.snapshot.checks.iter();
    let runs = checks.filter_map(|check| check.state.last.as_ref());
    let ended = runs
        .filter_map(|run| run.data.as_ref())
        .flat_map(|reported| ended_jobs(reported));
    ended
        .map(|(endpoint, completed, failed)| (endpoint, Counted { completed, failed }))
        .collect()
}

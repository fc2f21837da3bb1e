//! A day of jobs, played fast: signed deliveries over HTTP, and what the signals make of them.
//!
//! ```text
//! jobs ─► deliveries ─► send (signs, sends) ─► the service ─► watch ─► board ─► lines
//! ```
//! Jobs, deliveries, pace and board are pure.

pub(crate) mod board;
pub(crate) mod deliveries;
pub(crate) mod jobs;
pub(crate) mod pace;
pub(crate) mod send;
pub(crate) mod watch;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use infra_health::clock::rfc3339;
use reqwest::{Client, StatusCode};
use tokio::sync::{Semaphore, watch as state};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use self::board::Board;
use self::deliveries::{Delivery, Event};
use self::pace::{Pace, hh_mm};
use self::send::{REFUSALS, Sender, Tally};
use self::watch::{DayClock, EVERY, Watcher};
use crate::printout::say;

/// The same day every time.
const SEED: u64 = 20_260_115;
/// Deliveries under way at a time.
const AT_A_TIME: usize = 64;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Of the day: a delivery that is later shifts what the signals see.
const LATE: Duration = Duration::from_mins(3);

/// What to play, where to.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) pace: Pace,
    /// The time of the day at which it begins.
    pub(crate) from: Duration,
    pub(crate) secret: &'static str,
    /// For `GET /signals`.
    pub(crate) key: &'static str,
}

/// Plays days, one at a time. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Player(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    service: String,
    client: Client,
    playing: AtomicBool,
    played: AtomicU32,
}

impl Player {
    /// Without `settings` the service judges at life's pace, and no day is played.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub(crate) fn new(settings: Option<Settings>, service: String) -> Result<Self, reqwest::Error> {
        let Some(settings) = settings else {
            return Ok(Player(None));
        };
        Ok(Player(Some(Arc::new(Inner {
            settings,
            service,
            client: Client::builder().no_proxy().timeout(TIMEOUT).build()?,
            playing: AtomicBool::new(false),
            played: AtomicU32::new(0),
        }))))
    }

    /// Begins a day and says so, or why not.
    ///
    /// # Errors
    /// With the reason, when none can begin now.
    pub(crate) fn start(&self) -> Result<String, String> {
        let Some(inner) = &self.0 else {
            return Err(
                "no day: this sandbox judges at life's pace; start it with -- --day\n".to_owned(),
            );
        };
        if inner.playing.swap(true, Ordering::AcqRel) {
            return Err("a day is being played already\n".to_owned());
        }
        let number = inner.played.fetch_add(1, Ordering::Relaxed) + 1;
        let line = format!("day {number}: {}\n", inner.settings.pace.describe());
        let inner = Arc::clone(inner);
        tokio::spawn(async move {
            inner.play(number).await;
            inner.playing.store(false, Ordering::Release);
        });
        Ok(line)
    }

    /// Whether one is being played.
    pub(crate) fn is_playing(&self) -> bool {
        let inner = self.0.as_ref();
        inner.is_some_and(|inner| inner.playing.load(Ordering::Acquire))
    }
}

impl Inner {
    async fn play(&self, number: u32) {
        let Settings {
            pace,
            from,
            secret,
            key,
        } = self.settings;
        let mut jobs = jobs::of_a_day(SEED);
        jobs.retain(|job| job.started >= from);
        let deliveries = deliveries::of(&jobs, number, SEED);
        let again = deliveries.iter().filter(|one| one.again).count();
        let failed = deliveries.iter().find(|one| one.event == Event::Failed);
        let failed = failed.map(|one| one.job_id.clone());

        self.store_is_open().await;
        let sender = Arc::new(Sender::new(self.client.clone(), &self.service, secret));
        let started = (Instant::now(), SystemTime::now());
        let clock = DayClock {
            pace,
            from,
            started,
        };
        let watcher = Watcher {
            client: &self.client,
            service: &self.service,
            key,
            clock,
            tally: &sender.tally,
        };
        let (over, is_over) = state::channel(false);
        let send = async {
            let late = send_all(deliveries, &sender, clock).await;
            over.send_replace(true);
            late
        };
        let (late, board) = tokio::join!(send, watcher.run(is_over));
        if sender.tally.gives_up() {
            let why = sender.tally.first_refusal().unwrap_or_default();
            say(&format!(
                "day {number} is given up, {REFUSALS} deliveries were refused; the first: {}\n",
                why.trim_end()
            ));
            return;
        }
        say(&over_text(number, jobs.len(), again, &sender.tally, &board));
        if late > pace.real(LATE) {
            let late = late.as_millis();
            say(&format!(
                "  deliveries were up to {late} ms late, so signals were, too: take more --minutes\n"
            ));
        }
        if let Some(job_id) = failed {
            let (url, key) = (&self.service, crate::API_KEY);
            say(&format!(
                "  one that failed: curl -s -H 'X-Api-Key: {key}' {url}/jobs/{job_id}\n"
            ));
        }
    }
}

impl Inner {
    /// The store is opened in the background: until then a day would only be late. Waits for 10 s at most.
    async fn store_is_open(&self) {
        let url = format!("{}/jobs/none", self.service);
        for _ in 0..10_000 / EVERY.as_millis() {
            let request = self.client.get(&url).header("x-api-key", self.settings.key);
            let status = request.send().await.map(|response| response.status());
            if status.is_ok_and(|status| status != StatusCode::SERVICE_UNAVAILABLE) {
                return;
            }
            sleep(EVERY).await;
        }
    }
}

/// Sends each when it is its time, until midnight or until too many were refused. How late the latest was.
async fn send_all(deliveries: Vec<Delivery>, sender: &Arc<Sender>, clock: DayClock) -> Duration {
    let mut latest = Duration::ZERO;
    let permits = Arc::new(Semaphore::new(AT_A_TIME));
    let mut under_way = JoinSet::new();
    for delivery in deliveries {
        if sender.tally.gives_up() {
            break;
        }
        let time = clock.real(delivery.sent).0;
        sleep_until(time).await;
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            break;
        };
        latest = latest.max(time.elapsed());
        while under_way.try_join_next().is_some() {}
        let sender = Arc::clone(sender);
        let timestamp = rfc3339(clock.real(delivery.told).1.into());
        under_way.spawn(async move {
            sender.deliver(&delivery, &timestamp).await;
            drop(permit);
        });
    }
    while under_way.join_next().await.is_some() {}
    latest
}

fn over_text(number: u32, jobs: usize, again: usize, tally: &Tally, board: &Board) -> String {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (accepted, duplicates) = (count(&tally.accepted), count(&tally.duplicates));
    let (completed, failed) = (count(&tally.completed), count(&tally.failed));
    let (tried_again, refused) = (count(&tally.tried_again), count(&tally.refused));
    let mut text = format!(
        "day {number} is over: {jobs} jobs, {completed} completed, {failed} failed\n\
         \x20 deliveries: {accepted} accepted, {duplicates} duplicates ({again} were sent), {tried_again} tried again, {refused} refused\n"
    );
    for line in board.fired() {
        let _ = writeln!(text, "  {line}");
    }
    if let Some(why) = tally.first_refusal() {
        let _ = writeln!(text, "  the first refusal: {}", why.trim_end());
    }
    text
}

/// The time of the day of an argument.
///
/// # Errors
/// With what is accepted.
pub(crate) fn since_midnight(argument: &str) -> Result<Duration, String> {
    let accepted = || format!("a time of the day from 00:00 to {}", hh_mm(LAST_START));
    pace::since_midnight(argument)
        .filter(|time| *time <= LAST_START)
        .ok_or_else(accepted)
}

/// Later there would be nothing to see.
const LAST_START: Duration = Duration::from_hours(23);

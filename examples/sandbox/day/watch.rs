//! Asks the service for its signals while a day is played, and says what changes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use reqwest::{Client, StatusCode};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::board::{Answer, Board, Signals};
use super::pace::{Pace, hh_mm};
use super::send::Tally;
use crate::printout::say;

/// Between two questions: less often than the sandbox's rate limit allows one key.
pub(crate) const EVERY: Duration = Duration::from_millis(150);
const TIMEOUT: Duration = Duration::from_secs(5);

/// What hour it is of a day that is played.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DayClock {
    pub(crate) pace: Pace,
    /// The time of the day at which it was started.
    pub(crate) from: Duration,
    pub(crate) started: (Instant, SystemTime),
}

impl DayClock {
    /// Since midnight.
    pub(crate) fn now(&self) -> Duration {
        self.from + self.pace.of_the_day(self.started.0.elapsed())
    }

    /// When it is that time of the day.
    pub(crate) fn real(&self, of_the_day: Duration) -> (Instant, SystemTime) {
        let (mono, wall) = self.started;
        let after = self.pace.real(of_the_day.saturating_sub(self.from));
        (mono + after, wall + after)
    }

    /// The time of the day of an RFC 3339 time.
    fn moment(&self, text: &str) -> Option<Duration> {
        let wall = humantime::parse_rfc3339(text).ok()?;
        let real = wall.duration_since(self.started.1).ok()?;
        Some(self.from + self.pace.of_the_day(real))
    }
}

pub(crate) struct Watcher<'a> {
    pub(crate) client: &'a Client,
    pub(crate) service: &'a str,
    pub(crate) key: &'a str,
    pub(crate) clock: DayClock,
    pub(crate) tally: &'a Tally,
}

impl Watcher<'_> {
    /// Watches until `over`; what it has seen then.
    pub(crate) async fn run(self, mut over: watch::Receiver<bool>) -> Board {
        let mut board = Board::new(self.clock.pace);
        let mut next_hour = hour(self.clock.from) + 1;
        let mut refused = false;
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let last = *over.borrow();
            match self.signals().await {
                Ok(signals) => {
                    next_hour = self.tell(&mut board, &signals, next_hour);
                }
                Err(why) if !refused => {
                    refused = true;
                    say(&format!("  GET /signals: {why}\n"));
                }
                Err(_) => {}
            }
            if last {
                return board;
            }
            tokio::select! {
                _ = ticks.tick() => {}
                // Its sender gone is the end, too.
                _ = over.wait_for(|over| *over) => {}
            }
        }
    }

    /// Says what is new; the hour that is to be told next.
    fn tell(&self, board: &mut Board, signals: &Signals, next_hour: u64) -> u64 {
        let now = self.clock.now();
        let is_due = hour(now) >= next_hour;
        if is_due {
            let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            let (completed, failed) = (count(&self.tally.completed), count(&self.tally.failed));
            say(&format!(
                "  {}  {completed} completed, {failed} failed; {}\n",
                hh_mm(Duration::from_hours(hour(now))),
                board.summary(signals)
            ));
        }
        for line in board.take(signals, now, |text| self.clock.moment(text)) {
            say(&format!("* {line}\n"));
        }
        if is_due { hour(now) + 1 } else { next_hour }
    }

    async fn signals(&self) -> Result<Signals, String> {
        let url = format!("{}/signals", self.service);
        let request = self.client.get(url).header("x-api-key", self.key);
        let response = request.timeout(TIMEOUT).send().await;
        let response = response.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| error.to_string())?;
        if status != StatusCode::OK {
            return Err(format!("{status} {}", String::from_utf8_lossy(&body)));
        }
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        Ok(answer.signals)
    }
}

fn hour(since_midnight: Duration) -> u64 {
    since_midnight.as_secs() / 3600
}

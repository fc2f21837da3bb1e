//! What systemd is told of a service of `Type=notify`: that it serves, how it is, that it lives, that it
//! stops. The same truth as the answers, and for the watchdog exactly that of `/livez`.

mod socket;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::answers::Published;
use crate::config::ServiceManager;
use crate::monitor::{Heartbeat, livez};
use crate::serve::{Drain, Stage};
use crate::snapshot::{CheckSet, Moment, Snapshot};
use socket::Socket;

/// A result turns stale without any event, so the state is looked at this often.
const LOOK: Duration = Duration::from_secs(1);

/// What there is to tell of.
#[derive(Debug, Clone)]
pub struct Source {
    /// The newest snapshot.
    pub published: watch::Receiver<Arc<Published>>,
    /// The monitor's sign of life.
    pub heartbeat: Heartbeat,
    /// The shutdown.
    pub drain: Drain,
    /// Checks that do not count.
    pub excluded: CheckSet,
}

/// The connection to systemd.
#[derive(Debug)]
pub struct Notifier {
    socket: Socket,
    watchdog: Option<Duration>,
    /// The last status, so that only changes are sent.
    status: String,
    failed: bool,
}

impl Notifier {
    /// Connects to the socket that the service manager named.
    ///
    /// # Errors
    /// When there is no such socket or it may not be written to.
    pub fn connect(manager: &ServiceManager) -> io::Result<Self> {
        Ok(Notifier {
            socket: Socket::connect(&manager.socket)?,
            watchdog: manager.watchdog,
            status: String::new(),
            failed: false,
        })
    }

    /// Tells that the service serves, then every change of its state, for ever. Spawn it on the HTTP
    /// runtime once the listeners are bound: a runtime that hangs then shows no sign of life.
    ///
    /// No upstream is waited for: what does not answer must not fail the start, and `/readyz` has its own say.
    pub async fn run(mut self, mut source: Source) {
        let drain = source.drain.clone();
        let mut stop = pin!(drain.reached(Stage::Draining));
        let mut ping = self.watchdog.map(|limit| ticks(limit / 2));
        let mut look = ticks(LOOK);
        let (mut ready, mut draining) = (false, false);
        loop {
            // At boot systemd may be busy with its queue full; without this it would take the start for failed.
            ready = ready || self.send("READY=1\n");
            self.tell(source.status(draining, Instant::now()));
            tokio::select! {
                () = &mut stop, if !draining => {
                    draining = true;
                    self.send("STOPPING=1\n");
                }
                () = tick(ping.as_mut()) => self.show_life(&source.heartbeat, Instant::now()),
                // Once the monitor has ended there is nothing more to come, and the process ends too.
                Ok(()) = source.published.changed() => {}
                _ = look.tick() => {}
            }
        }
    }

    /// Only while the monitor lives: what `/livez` says, and nothing else may ever count here.
    fn show_life(&mut self, heartbeat: &Heartbeat, now: Instant) {
        if livez(heartbeat, now) {
            self.send("WATCHDOG=1\n");
        }
    }

    fn tell(&mut self, status: String) {
        if status != self.status && self.send(&format!("STATUS={status}\n")) {
            self.status = status;
        }
    }

    /// Whether it was sent: nothing waits for systemd.
    fn send(&mut self, message: &str) -> bool {
        let sent = self.socket.send(message);
        if let Err(error) = &sent
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::warn!(%error, "systemd cannot be told");
        }
        sent.is_ok()
    }
}

impl Source {
    fn status(&self, draining: bool, now: Instant) -> String {
        let at = Moment {
            now,
            stalled: self.heartbeat.is_stalled(now),
        };
        let published = self.published.borrow();
        status(&published.snapshot, self.excluded, at, draining)
    }
}

/// One line for `systemctl status`: words of ours and names of checks.
fn status(snapshot: &Snapshot, excluded: CheckSet, at: Moment, draining: bool) -> String {
    if draining {
        return "draining".to_owned();
    }
    if snapshot.is_starting(excluded) {
        return "starting: the first round of checks has not ended".to_owned();
    }
    let fold = snapshot.fold(excluded, at);
    if fold.healthy {
        return "healthy".to_owned();
    }
    let counts = |name: &&str| !fold.excluded.contains(name);
    let failing = fold.checks.iter().filter(|(_, ok)| !ok);
    let names: Vec<_> = failing.map(|(name, _)| *name).filter(counts).collect();
    format!("degraded: {}", names.join(", "))
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn tick(ticks: Option<&mut Interval>) {
    match ticks {
        Some(ticks) => {
            ticks.tick().await;
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;

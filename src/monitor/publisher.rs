//! Collects the checks' states, publishes snapshot and answers, and keeps the heartbeat.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::announce::Announcer;
use super::heartbeat::{BEAT, Heartbeat};
use super::runner::Report;
use crate::answers::{Options, Published, publish};
use crate::clock::Clock;
use crate::snapshot::{Moment, Snapshot};

pub(super) struct Publisher {
    to: watch::Sender<Arc<Published>>,
    snapshot: Snapshot,
    options: Options,
    heartbeat: Heartbeat,
    clock: Clock,
    on_beat: Box<dyn FnMut(Instant) + Send>,
    announcer: Announcer,
}

impl Publisher {
    pub(super) fn new(
        to: watch::Sender<Arc<Published>>,
        options: Options,
        heartbeat: Heartbeat,
        clock: Clock,
        on_beat: Box<dyn FnMut(Instant) + Send>,
    ) -> Self {
        let snapshot = to.borrow().snapshot.clone();
        let announcer = Announcer::new(snapshot.checks.len(), clock.now().mono);
        Publisher {
            to,
            snapshot,
            options,
            heartbeat,
            clock,
            on_beat,
            announcer,
        }
    }

    /// Returns only when no check reports any more.
    pub(super) async fn run(mut self, mut reports: mpsc::Receiver<Report>) {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beats.tick() => self.beat(),
                report = reports.recv() => match report {
                    Some(report) => self.publish(report),
                    None => return,
                },
            }
            self.announcer.tell(&self.snapshot, self.clock.now().mono);
        }
    }

    fn beat(&mut self) {
        let now = self.clock.now().mono;
        self.heartbeat.beat(now);
        (self.on_beat)(now);
    }

    fn publish(&mut self, (index, state): Report) {
        if let Some(check) = self.snapshot.checks.get_mut(index) {
            check.state = Arc::new(state);
        }
        let at = Moment {
            now: self.clock.now().mono,
            stalled: false,
        };
        self.to
            .send_replace(Arc::new(publish(self.snapshot.clone(), &self.options, at)));
    }
}

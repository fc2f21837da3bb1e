//! Collects the checks' states, publishes snapshot and answers, and keeps the heartbeat.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::announce::Announcer;
use super::heartbeat::{BEAT, Heartbeat};
use super::runner::Report;
use crate::answers::{Options, Published, publish};
use crate::clock::{Clock, Now};
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
            let reported = tokio::select! {
                _ = beats.tick() => {
                    self.beat();
                    false
                }
                report = reports.recv() => match report {
                    Some(report) => {
                        self.take(report);
                        true
                    }
                    None => return,
                },
            };
            let now = self.clock.now();
            // At a beat, too: a result turns stale without any event.
            let changed = self.notice(now);
            if reported || changed {
                self.publish(now.mono);
            }
            self.announcer.tell(&self.snapshot, now.mono);
        }
    }

    fn beat(&mut self) {
        let now = self.clock.now().mono;
        self.heartbeat.beat(now);
        (self.on_beat)(now);
    }

    fn take(&mut self, (index, state): Report) {
        if let Some(check) = self.snapshot.checks.get_mut(index) {
            check.state = Arc::new(state);
        }
    }

    /// Takes down every check's change of status; whether there was one.
    fn notice(&mut self, now: Now) -> bool {
        let mut changed = false;
        for check in &mut self.snapshot.checks {
            changed |= check.notice(now);
        }
        changed
    }

    fn publish(&mut self, now: Instant) {
        let at = Moment {
            now,
            stalled: false,
        };
        self.to
            .send_replace(Arc::new(publish(self.snapshot.clone(), &self.options, at)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::answers::Options;
    use crate::check::{Finding, Outcome};
    use crate::config::Policy;
    use crate::reason::{OK, RATE_LIMITED, Reason, STALE};
    use crate::registry::Info;
    use crate::snapshot::{Snapshot, Status};
    use crate::state::{Run, State, next};

    fn state(previous: &State, reason: Option<&'static Reason>) -> State {
        let findings = reason.map(Finding::new).into_iter().collect();
        let outcome = Outcome {
            findings,
            ..Outcome::pass()
        };
        let now = Clock::default().now();
        let run = Run::finished(outcome, now, now);
        next(previous, run, &Policy::default())
    }

    #[tokio::test(start_paused = true)]
    async fn every_change_is_noticed_and_a_beat_publishes_what_no_report_tells() {
        let info = Info {
            name: "r2",
            about_this_process: false,
            reasons: &[],
            timed: &[],
            data: crate::registry::DataSchema::of::<()>(),
            families: &[],
            policy: Policy::default(),
        };
        let at = Moment {
            now: Instant::now(),
            stalled: false,
        };
        let starting = publish(Snapshot::starting(&[info]), &Options::default(), at);
        let (to, mut published) = watch::channel(Arc::new(starting));
        let monitor = Publisher::new(
            to,
            Options::default(),
            Heartbeat::new(),
            Clock::default(),
            Box::new(|_| {}),
        );
        let (reports, collected) = mpsc::channel(1);
        let running = tokio::spawn(monitor.run(collected));

        let passing = state(&State::new(), None);
        let limited = state(&passing, Some(&RATE_LIMITED));
        for state in [passing.clone(), passing, limited.clone(), limited] {
            reports.send((0, state)).await.unwrap();
            published.changed().await.unwrap();
        }
        // No further report: only the beats go on.
        let stale = timeout(Duration::from_mins(3), published.changed()).await;
        stale.expect("a publication without a report").unwrap();

        let published = published.borrow().clone();
        let seen = published.snapshot.checks[0].history.recent();
        let seen: Vec<_> = seen.map(|seen| (seen.to, seen.reason)).collect();
        assert_eq!(
            seen,
            [
                (Status::Fail, &STALE),
                (Status::Warn, &RATE_LIMITED),
                (Status::Pass, &OK),
            ]
        );
        drop(reports);
        running.await.unwrap();
    }
}

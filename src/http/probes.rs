//! `/livez` and `/readyz`.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::time::Instant;

use super::code::Code;
use super::error::Reply;
use super::shared::Shared;
use crate::answers::{NotReady, live, not_ready, ready};
use crate::monitor::livez;
use crate::snapshot::{CheckSet, Snapshot};

/// Whether the first round of checks has ever ended. Never opens again: a check that starts over must not
/// take traffic from a replica.
#[derive(Debug, Default)]
pub(super) struct Latch(AtomicBool);

impl Latch {
    /// Whether it is closed; `starting` tells what holds now and is asked only until it is.
    pub(super) fn closes(&self, starting: impl FnOnce() -> bool) -> bool {
        if !self.0.load(Relaxed) && !starting() {
            self.0.store(true, Relaxed);
        }
        self.0.load(Relaxed)
    }
}

/// Everything readiness looks at.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not the states of a machine"
)]
struct Situation {
    draining: bool,
    stalled: bool,
    started: bool,
    descriptors_exhausted: bool,
    /// The first of `READY_REQUIRES` that is false.
    failing: Option<&'static str>,
}

/// Whether this replica should get traffic; if not, the reason that comes first.
fn readiness(situation: Situation) -> Result<(), NotReady> {
    if situation.draining {
        return Err(NotReady::Draining);
    }
    if situation.stalled {
        return Err(NotReady::MonitorStalled);
    }
    if !situation.started {
        return Err(NotReady::Starting);
    }
    if situation.descriptors_exhausted {
        return Err(NotReady::DescriptorsExhausted);
    }
    situation
        .failing
        .map_or(Ok(()), |name| Err(NotReady::RequiredCheck(name)))
}

impl Shared {
    /// `/livez`: the heartbeat and nothing else.
    pub(super) fn livez(&self, now: Instant) -> Reply {
        Reply::new(live(livez(&self.monitor.heartbeat, now)), Code::NotReady)
    }

    /// `/readyz`.
    pub(super) fn readyz(&self, now: Instant) -> Reply {
        let answer = match self.readiness(now) {
            Ok(()) => ready(),
            Err(why) => not_ready(why),
        };
        Reply::new(answer, Code::NotReady)
    }

    /// Whether this replica should get traffic: what `/readyz` and `/metrics` say.
    pub(super) fn readiness(&self, now: Instant) -> Result<(), NotReady> {
        readiness(self.situation(now))
    }

    /// Whether a counted check of something else than this process has not finished its first run. What
    /// this process knows of itself is in [`Situation`]; its check would wait for `API_HEALTH_URL`, and an
    /// API that waits for its probe of us would then hold us, and itself, back.
    fn is_starting(&self, snapshot: &Snapshot) -> bool {
        let own = |index: &usize| snapshot.checks[*index].info.about_this_process;
        let own = (0..snapshot.checks.len()).filter(own);
        snapshot.is_starting(own.fold(self.options.excluded, CheckSet::with))
    }

    fn situation(&self, now: Instant) -> Situation {
        let at = self.moment(now);
        let published = self.monitor.published.borrow();
        let failing = self
            .required
            .iter()
            .filter_map(|&index| published.snapshot.checks.get(index))
            .find(|check| !check.ok(at))
            .map(|check| check.info.name);
        Situation {
            draining: (self.facts.is_draining)(),
            stalled: at.stalled,
            started: self
                .started
                .closes(|| self.is_starting(&published.snapshot)),
            descriptors_exhausted: (self.facts.descriptors_exhausted)(),
            failing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_what_comes_first() {
        let mut situation = Situation {
            draining: true,
            stalled: true,
            started: false,
            descriptors_exhausted: true,
            failing: Some("api"),
        };
        assert_eq!(readiness(situation), Err(NotReady::Draining));
        situation.draining = false;
        assert_eq!(readiness(situation), Err(NotReady::MonitorStalled));
        situation.stalled = false;
        assert_eq!(readiness(situation), Err(NotReady::Starting));
        situation.started = true;
        assert_eq!(readiness(situation), Err(NotReady::DescriptorsExhausted));
        situation.descriptors_exhausted = false;
        assert_eq!(readiness(situation), Err(NotReady::RequiredCheck("api")));
        situation.failing = None;
        assert_eq!(readiness(situation), Ok(()));
    }

    #[test]
    fn the_latch_closes_once_and_for_ever() {
        let latch = Latch::default();
        assert!(!latch.closes(|| true));
        assert!(latch.closes(|| false));
        assert!(latch.closes(|| true));
    }
}

//! What one connection is doing and since when: an atomic word, written by its task, read by the sweeper.
//!
//! ```text
//! Fresh ─first byte─► Head ─head parsed─► Busy ─body handed over─► Writing ─flushed─► Idle
//!                      ▲                                                               │
//!                      └──────────────────────── first byte ◄──────────────────────────┘
//! ```
//! and `Lingering` from anywhere, once nothing more will be answered. Every change is one relaxed store. The clock is
//! read once the task has done what it could and waits: a request that is read, answered and flushed at once costs
//! one reading, not one a phase.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::time::Instant;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Accepted; no byte yet.
    Fresh,
    /// Part of a request's head is here.
    Head,
    /// The handler has the request.
    Busy,
    /// The whole answer is with hyper, not yet with the kernel.
    Writing,
    /// The last answer is out.
    Idle,
    /// Our side is shut; the client's is being read to its end.
    Lingering,
}

/// A phase and when it began, in milliseconds of the table's clock; and since when the client, which
/// does not read, has kept the kernel from taking any byte of an answer. A mark of its own, because a phase
/// does not begin anew with each byte that goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    word: u64,
    /// Plus 1; 0: not blocked.
    blocked: u64,
}

const PHASE_BITS: u32 = 3;

/// In place of a time: the phase has begun in this very moment, and the task is still at work. Later than any time, so
/// it is never overdue.
const JUST_NOW: u64 = u64::MAX >> PHASE_BITS;

impl State {
    pub(super) fn new(phase: Phase, since: u64) -> Self {
        State {
            word: since << PHASE_BITS | phase as u64,
            blocked: 0,
        }
    }

    pub(super) fn phase(self) -> Phase {
        match self.word & ((1 << PHASE_BITS) - 1) {
            0 => Phase::Fresh,
            1 => Phase::Head,
            2 => Phase::Busy,
            3 => Phase::Writing,
            4 => Phase::Idle,
            _ => Phase::Lingering,
        }
    }

    pub(super) fn since(self) -> u64 {
        self.word >> PHASE_BITS
    }

    pub(super) fn blocked_since(self) -> Option<u64> {
        self.blocked.checked_sub(1)
    }

    #[cfg(test)]
    pub(super) fn blocked(self, since: u64) -> Self {
        State {
            blocked: since + 1,
            ..self
        }
    }
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Slot {
    epoch: Instant,
    word: AtomicU64,
    blocked: AtomicU64,
}

impl Slot {
    pub(super) fn new(epoch: Instant) -> Self {
        let slot = Slot {
            epoch,
            word: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
        };
        slot.enter(Phase::Fresh);
        slot
    }

    pub(super) fn state(&self) -> State {
        State {
            word: self.word.load(Relaxed),
            blocked: self.blocked.load(Relaxed),
        }
    }

    /// Bytes were read. The first byte of a head starts its clock; on a fresh connection the clock has
    /// run since accept. A part of the next head that came in one read with the previous request is not
    /// seen until its next byte: until then the connection counts as idle, which it cannot profit from.
    pub(super) fn bytes_read(&self) {
        match self.state().phase() {
            Phase::Idle => self.begin(Phase::Head),
            Phase::Fresh => self.keep_since(Phase::Head),
            _ => {}
        }
    }

    /// A head is complete and the handler is called. The clock goes on from the head's first byte.
    pub(super) fn called(&self) {
        self.keep_since(Phase::Busy);
    }

    /// The answer's last frame was handed over.
    pub(super) fn body_ended(&self) {
        self.keep_since(Phase::Writing);
    }

    /// The kernel has every byte that hyper had.
    pub(super) fn flushed(&self) {
        if self.state().phase() == Phase::Writing {
            self.begin(Phase::Idle);
        }
    }

    /// The task waits, whatever for.
    pub(super) fn waits(&self) {
        let state = self.state();
        if state.since() == JUST_NOW {
            self.enter(state.phase());
        }
    }

    /// The kernel was given bytes and took some, or none.
    pub(super) fn written(&self, took: bool) {
        let blocked = self.blocked.load(Relaxed) != 0;
        if took && blocked {
            self.blocked.store(0, Relaxed);
        } else if !took && !blocked {
            self.blocked.store(millis_since(self.epoch) + 1, Relaxed);
        }
    }

    /// Nothing more will be answered.
    pub(super) fn lingering(&self) {
        self.enter(Phase::Lingering);
    }

    fn keep_since(&self, phase: Phase) {
        self.store(phase, self.state().since());
    }

    /// Its time is told by [`Slot::waits`].
    fn begin(&self, phase: Phase) {
        self.store(phase, JUST_NOW);
    }

    fn enter(&self, phase: Phase) {
        self.store(phase, millis_since(self.epoch));
    }

    fn store(&self, phase: Phase, since: u64) {
        self.word.store(State::new(phase, since).word, Relaxed);
    }
}

/// Milliseconds since `epoch`.
pub(super) fn millis_since(epoch: Instant) -> u64 {
    let elapsed = epoch.elapsed();
    elapsed.as_secs() * 1000 + u64::from(elapsed.subsec_millis())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn blocked_lasts_until_the_kernel_takes_a_byte() {
        let slot = Slot::new(Instant::now());
        let since = || slot.state().blocked_since();
        slot.called();
        slot.written(true);
        assert_eq!(since(), None);
        slot.written(false);
        tokio::time::advance(Duration::from_millis(10)).await;
        slot.written(false);
        slot.body_ended();
        slot.called();
        assert_eq!(since(), Some(0), "whatever the phase");
        slot.written(true);
        assert_eq!(since(), None);
        slot.written(false);
        assert_eq!(since(), Some(10));
    }

    #[tokio::test(start_paused = true)]
    async fn phases_follow_a_connection() {
        let slot = Slot::new(Instant::now());
        let at = |ms| tokio::time::advance(Duration::from_millis(ms));
        let seen = |slot: &Slot| (slot.state().phase(), slot.state().since());
        assert_eq!(seen(&slot), (Phase::Fresh, 0));
        at(10).await;
        slot.bytes_read();
        assert_eq!(
            seen(&slot),
            (Phase::Head, 0),
            "a first head counts from accept"
        );
        at(10).await;
        slot.bytes_read();
        slot.called();
        slot.flushed();
        slot.bytes_read();
        assert_eq!(
            seen(&slot),
            (Phase::Busy, 0),
            "neither 100 Continue nor a request body changes it"
        );
        slot.body_ended();
        slot.flushed();
        assert_eq!(seen(&slot), (Phase::Idle, JUST_NOW));
        slot.waits();
        assert_eq!(seen(&slot), (Phase::Idle, 20));
        at(10).await;
        slot.waits();
        assert_eq!(seen(&slot), (Phase::Idle, 20), "woken for nothing");
        slot.bytes_read();
        slot.waits();
        assert_eq!(
            seen(&slot),
            (Phase::Head, 30),
            "a later head counts from its first byte"
        );
        at(10).await;
        slot.called();
        slot.waits();
        assert_eq!(seen(&slot), (Phase::Busy, 30));
        slot.body_ended();
        slot.flushed();
        slot.bytes_read();
        slot.called();
        assert_eq!(seen(&slot), (Phase::Busy, JUST_NOW));
        slot.waits();
        assert_eq!(
            seen(&slot),
            (Phase::Busy, 40),
            "a head that came at once counts from then"
        );
        slot.lingering();
        slot.bytes_read();
        assert_eq!(seen(&slot), (Phase::Lingering, 40));
    }
}

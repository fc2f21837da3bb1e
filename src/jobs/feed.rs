//! Signals without webhooks: what the check of RunPod's endpoints reads is judged here.

use std::sync::Arc;

use tokio::sync::watch;

use super::intake::milliseconds;
use super::signals::board::{Basis, Board};
use super::signals::counters::{Counted, Counters};
use super::signals::judge::judge;
use super::store::Kept;
use crate::clock::Clock;
use crate::config::Signals;
use crate::detail::Label;

/// Takes RunPod's counters and publishes what follows from them.
#[derive(Debug)]
pub struct Feed {
    settings: Signals,
    clock: Clock,
    counters: Counters,
    kept: Vec<Kept>,
    board: Arc<watch::Sender<Arc<Board>>>,
}

impl Feed {
    pub(super) fn new(
        settings: Signals,
        clock: Clock,
        board: Arc<watch::Sender<Arc<Board>>>,
    ) -> Self {
        Feed {
            settings,
            clock,
            counters: Counters::default(),
            kept: Vec::new(),
            board,
        }
    }

    /// Judges anew, after the counters of these endpoints.
    pub fn observe(&mut self, endpoints: &[(Label, Counted)]) {
        let now = milliseconds(self.clock.now().wall);
        for (endpoint, counted) in endpoints {
            self.counters.observe(endpoint, *counted, now);
        }
        let slices = self.counters.window(self.settings.window, now);
        let judged = judge(&slices, &self.kept, &self.settings, now);
        self.kept.clone_from(&judged.kept);
        let board = Board::of(judged, Basis::RunPodCounters, &self.settings, now);
        self.board.send_replace(board);
    }
}

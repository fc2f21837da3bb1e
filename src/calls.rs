//! What was asked of upstreams: how many requests, and where their time went.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A part of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Name resolution, when a new connection was opened to a name.
    Dns,
    /// Opening a connection, name resolution and TLS included.
    Connect,
    /// From there until the head of the answer.
    Wait,
    /// From the head to the last byte.
    Body,
}

impl Phase {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Dns => "dns",
            Phase::Connect => "connect",
            Phase::Wait => "wait",
            Phase::Body => "body",
        }
    }
}

/// The one table of a process; clones share it. Calls are rare, so a lock does.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<Table>>);

#[derive(Debug, Clone, Default)]
struct Table {
    requests: BTreeMap<(&'static str, &'static str), u64>,
    phases: BTreeMap<(&'static str, Phase), Total>,
}

/// Durations, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: Duration,
}

impl Calls {
    /// Counts a request of `check` for `operation` that is about to be sent.
    pub fn asked(&self, check: &'static str, operation: &'static str) {
        *self.lock().requests.entry((check, operation)).or_default() += 1;
    }

    /// Adds a phase that has ended well.
    pub fn took(&self, check: &'static str, phase: Phase, took: Duration) {
        let mut table = self.lock();
        let total = table.phases.entry((check, phase)).or_default();
        total.count += 1;
        total.sum += took;
    }

    /// Check, operation and count of each.
    pub fn requests(&self) -> Vec<(&'static str, &'static str, u64)> {
        let requests = &self.lock().requests;
        let told = |(&(check, operation), &count)| (check, operation, count);
        requests.iter().map(told).collect()
    }

    /// Check, phase and total of each.
    pub fn phases(&self) -> Vec<(&'static str, Phase, Total)> {
        let phases = &self.lock().phases;
        let told = |(&(check, phase), &total)| (check, phase, total);
        phases.iter().map(told).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while holding it, and a count in doubt is better than none.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Buckets in a fixed number of slots, without a lock and without pruning.
//!
//! A slot is one atomic: a bucket's TAT and a tag that tells whose it is. The slots come in sets of 8, one cache line. A bucket's
//! keyed hash gives its set and its tag; within the set it uses the slot with its tag, else any that has drained
//! (which is worth as much as a new one), else it shares the emptiest. So
//! - memory is what [`Table::new`] takes, whoever asks;
//! - a bucket has a slot of its own unless 8 others of its set are in use at that moment, or one of these has its tag;
//! - who shares is counted together with the other and may be limited early. It is never counted less than it asks.
//!
//! What an attacker needs: a slot in use costs `per_second` requests a second to keep, because it drains. With the default of
//! 50 a second, 100,000 requests a second from as many addresses as one likes keep 2,000 of 32,768 slots, and the chance that
//! a given client's set is full is below 1 in 100,000; at 500,000 a second it is below 1 in 100 (a test measures it). The hash is
//! keyed anew in each process, so that a victim's set can neither be computed nor learnt from outside. With one slot per bucket and no
//! tags the same memory would limit 26 innocent clients in 100; with the emptier of two, anyone could alternate and
//! get twice the quota.

use std::sync::atomic::{AtomicU64, Ordering};

use super::gcra::{Gcra, TIME_BITS};

/// Slots of a set: as many as a cache line of 64 bytes holds.
const WAYS: usize = 8;

/// Sets of a table, a power of two: 4,096 × 64 bytes are 256 KiB.
const SETS: usize = 4096;

const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// Tag in the upper 12 bits, TAT in the lower 52. A new slot (0) has drained long ago.
///
/// All accesses are relaxed: a slot is the whole state of its bucket, nothing else is published through it, and a
/// read-modify-write always sees the latest value of its own atomic.
type Slot = AtomicU64;

fn tat(slot: u64) -> u64 {
    slot & TIME_MASK
}

fn tag(slot: u64) -> u64 {
    slot & !TIME_MASK
}

/// Writes `next` if the slot still holds `seen`.
fn swap(slot: &Slot, seen: u64, next: u64) -> bool {
    slot.compare_exchange(seen, next, Ordering::Relaxed, Ordering::Relaxed)
        .is_ok()
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([Slot; WAYS]);

impl Set {
    /// The slot for a bucket, and the value seen there with the tag that it is to have.
    fn choose(&self, own: u64, now: u64) -> (&Slot, u64, u64) {
        let seen = self.0.each_ref().map(|slot| slot.load(Ordering::Relaxed));
        let in_use = |value: u64| tat(value) > now;
        let find = |wanted: &dyn Fn(u64) -> bool| seen.iter().position(|value| wanted(*value));
        let mine = find(&|value| in_use(value) && tag(value) == own)
            // The first one for everyone: two requests that open the same bucket at once meet here.
            .or_else(|| find(&|value| !in_use(value)));
        if let Some(way) = mine {
            return (&self.0[way], seen[way], own);
        }
        let emptiest = (1..WAYS).fold(0, |best, way| {
            if tat(seen[way]) < tat(seen[best]) {
                way
            } else {
                best
            }
        });
        (&self.0[emptiest], seen[emptiest], tag(seen[emptiest]))
    }
}

/// Buckets by hash.
#[derive(Debug)]
pub(super) struct Table(Box<[Set]>);

impl Table {
    pub(super) fn new() -> Self {
        Table(std::iter::repeat_with(Set::default).take(SETS).collect())
    }

    /// Counts one request of the bucket that hashes to `hash`: its new TAT, or the ticks to wait.
    ///
    /// At one moment `now` a bucket allows exactly its quota, however many threads ask: no slot drains at that moment, so all
    /// find the same one. The loop ends: a lost race is another request that was allowed, and these are limited.
    pub(super) fn take(&self, gcra: Gcra, hash: u64, now: u64) -> Result<u64, u64> {
        // Set from the lower bits, tag from the upper: independent of each other.
        let [low, high, ..] = hash.to_le_bytes();
        let set = &self.0[usize::from(u16::from_le_bytes([low, high])) % SETS];
        loop {
            let (slot, seen, tag) = set.choose(tag(hash), now);
            let next = gcra.take(tat(seen), now)?;
            if swap(slot, seen, tag | next) {
                return Ok(next);
            }
        }
    }
}

/// Buckets by number, each with a slot of its own.
#[derive(Debug)]
pub(super) struct Row(Box<[Slot]>);

impl Row {
    /// A row of `slots`, at least one.
    pub(super) fn new(slots: usize) -> Self {
        Row(std::iter::repeat_with(Slot::default)
            .take(slots.max(1))
            .collect())
    }

    /// Counts one request of the bucket `number`: its new TAT, or the ticks to wait. Numbers beyond the row share its slots.
    pub(super) fn take(&self, gcra: Gcra, number: usize, now: u64) -> Result<u64, u64> {
        let slot = &self.0[number % self.0.len()];
        loop {
            let seen = slot.load(Ordering::Relaxed);
            let next = gcra.take(seen, now)?;
            if swap(slot, seen, next) {
                return Ok(next);
            }
        }
    }
}

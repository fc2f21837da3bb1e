//! Buckets in a fixed number of slots, without a lock and without pruning.
//!
//! A slot is one atomic: a bucket's TAT and a tag that tells whose it is. The slots come in sets of 8, one cache line. A bucket's
//! keyed hash gives its set and its tag; within the set it uses the slot with its tag, else any that has drained
//! (which is worth as much as a new one), else it shares the emptiest. So
//! - memory has a bound, whoever asks; a page of it is taken when its first bucket comes, so that few clients take little;
//! - a bucket has a slot of its own unless 8 others of its set are in use at that moment, or one of these has its tag;
//! - who shares is counted together with others and may be limited early. Every allowed request is counted in some slot, so a
//!   table never allows more than its slots together; in a full set a newcomer may get more than a quota of its own.
//!
//! What an attacker needs: a slot drains, so one in use costs `per_second` requests a second to keep. At the default of 50,
//! 100,000 requests a second, from as many addresses as one likes, keep 2,000 of the 32,768 slots: then no set is full, and 1
//! client in 8,000 meets a full slot with its own tag. At 500,000 a second it is below 1 client in 100 (a test measures both).
//! At a limit of 1 a second a table can be filled by 32,768 requests a second, and clients without a key then share what the
//! table allows as a whole; valid keys, exempt addresses and the other tables are not touched. The hash is keyed anew
//! in each process, so that a victim's set can be neither computed nor found by trying in another process.
//!
//! Simpler tables that were weighed: one slot a bucket without tags limits 26 innocent clients in 100 in the second
//! flood; taking the emptier of two slots gives everyone twice the quota, by turns.

use std::array;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::gcra::{Gcra, TIME_BITS};

/// Slots of a set: as many as a cache line of 64 bytes holds.
const WAYS: usize = 8;

/// Sets of a page: 64 × 64 bytes are 4 KiB.
const PAGE_SETS: usize = 64;

/// Pages of a table: at most 256 KiB, 4,096 sets.
const PAGES: usize = 64;

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
        let mut drained = None;
        for (way, &value) in seen.iter().enumerate() {
            if tat(value) <= now {
                // The first one for everyone: two requests that open the same bucket at once meet here.
                drained = drained.or(Some(way));
            } else if tag(value) == own {
                return (&self.0[way], value, own);
            }
        }
        if let Some(way) = drained {
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

/// Sets whose memory is taken together.
#[derive(Debug)]
struct Page([Set; PAGE_SETS]);

/// Buckets by hash.
#[derive(Debug)]
pub(super) struct Table(Box<[OnceLock<Box<Page>>]>);

impl Table {
    pub(super) fn new() -> Self {
        Table((0..PAGES).map(|_| OnceLock::new()).collect())
    }

    /// Counts one request of the bucket that hashes to `hash`: its new TAT, or the ticks to wait.
    ///
    /// At one moment `now` a bucket allows exactly its quota, however many threads ask: no slot drains at that moment, so all
    /// find the same one. The loop ends: a lost race is another request that was allowed, and these are limited.
    pub(super) fn take(&self, gcra: Gcra, hash: u64, now: u64) -> Result<u64, u64> {
        let set = self.set(hash);
        loop {
            let (slot, seen, tag) = set.choose(tag(hash), now);
            let next = gcra.take(tat(seen), now)?;
            if swap(slot, seen, tag | next) {
                return Ok(next);
            }
        }
    }

    /// Page and set from the lower bytes; the tag is from the upper bits, independent of them.
    fn set(&self, hash: u64) -> &Set {
        let [set, page, ..] = hash.to_le_bytes().map(usize::from);
        let page =
            self.0[page % PAGES].get_or_init(|| Box::new(Page(array::from_fn(|_| Set::default()))));
        &page.0[set % PAGE_SETS]
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

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const BURST: u32 = 500;

    /// The hash of bucket `n` of one set.
    fn in_one_set(n: u64) -> u64 {
        (n << TIME_BITS) | 7
    }

    fn allowed(table: &Table, hash: u64, now: u64) -> bool {
        table.take(Gcra::new(1, BURST), hash, now).is_ok()
    }

    #[test]
    fn threads_that_open_and_use_all_slots_of_a_set_get_exactly_each_quota() {
        let table = Table::new();
        let counts: [AtomicUsize; WAYS] = Default::default();
        let start = Barrier::new(8);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (table, counts, start) = (&table, &counts, &start);
                scope.spawn(move || {
                    start.wait();
                    // Every thread in another order, so that each opens slots that others are looking at.
                    for n in 0..200 * WAYS {
                        let bucket = (n * (2 * thread + 1) + thread) % WAYS;
                        let hash = in_one_set(bucket as u64);
                        let one = usize::from(allowed(table, hash, 1000));
                        counts[bucket].fetch_add(one, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(counts.map(AtomicUsize::into_inner), [BURST as usize; WAYS]);
    }

    #[test]
    fn one_too_many_shares_the_emptiest_slot() {
        let table = Table::new();
        let now = 1000;
        for bucket in 0..WAYS as u64 {
            for _ in 0..=bucket {
                assert!(allowed(&table, in_one_set(bucket), now));
            }
        }
        // Bucket 0 has asked once, so the newcomer is counted with it, twice: 1 is no emptier by then.
        assert!(allowed(&table, in_one_set(100), now));
        assert!(allowed(&table, in_one_set(100), now));
        let left = |bucket| {
            (0..100_000)
                .take_while(|_| allowed(&table, in_one_set(bucket), now))
                .count()
        };
        // The slot stays its owner's.
        assert_eq!(left(0), BURST as usize - 3);
        assert_eq!(left(1), BURST as usize - 2);
        assert_eq!(left(2), BURST as usize - 3);
        assert!(
            allowed(&table, in_one_set(100), now),
            "not refused while any slot of the set has room"
        );
    }

    #[test]
    fn a_full_set_refuses_once_every_slot_is_at_its_limit() {
        let table = Table::new();
        let total = (0..100_000)
            .take_while(|n| allowed(&table, in_one_set(n % 4096), 1000))
            .count();
        assert!(total <= WAYS * BURST as usize, "{total}");
    }

    #[test]
    fn a_bucket_keeps_its_slot_when_an_earlier_one_drains() {
        let table = Table::new();
        assert!(allowed(&table, in_one_set(1), 0));
        let left = (0..100_000)
            .take_while(|_| allowed(&table, in_one_set(2), 0))
            .count();
        assert_eq!(left, BURST as usize);
        let (Ok(drained) | Err(drained)) = Gcra::new(1, 1).take(0, 0);
        assert!(
            allowed(&table, in_one_set(2), drained),
            "one interval, one request"
        );
        assert!(!allowed(&table, in_one_set(2), drained));
    }

    #[test]
    fn goes_on_after_the_last_moment_that_can_be_told() {
        let table = Table::new();
        for n in 0..1000 {
            assert!(allowed(&table, in_one_set(n), TIME_MASK));
        }
    }
}

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock, FakeRelativeClock};
use governor::{Quota, RateLimiter as Governor};
use proptest::prelude::*;

use super::*;
use crate::config::secret::{ApiKeys, Current};
use crate::http::auth::{Authenticator, Credential, X_API_KEY};

fn limiter(per_second: u32, burst: u32, base: Instant) -> RateLimiter {
    let limits = Limits {
        per_second,
        burst,
        exempt: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
        trusted_proxies: Vec::new(),
    };
    RateLimiter::new(&limits, base).expect("the limiter is on")
}

fn direct(address: impl Into<IpAddr>) -> Client {
    Client {
        address: address.into(),
        forwarded: false,
        relayed: false,
    }
}

fn forwarded(address: impl Into<IpAddr>) -> Client {
    Client {
        forwarded: true,
        ..direct(address)
    }
}

/// Some valid key, made the way it is made in service.
fn key(index: usize) -> KeyId {
    use sha2::{Digest, Sha256};
    let digests = (0..=index)
        .map(|n| Sha256::digest(n.to_string()).into())
        .collect();
    let auth = Authenticator::new(Current::fixed(ApiKeys { digests }));
    let headers = http::HeaderMap::from_iter([(X_API_KEY, HeaderValue::from(index))]);
    match auth.check(&headers) {
        Credential::Valid(key) => key,
        other => panic!("{other:?}"),
    }
}

const ADDRESS: [u8; 4] = [192, 0, 2, 1];

fn allowed(limiter: &RateLimiter, bucket: Bucket, now: Instant) -> bool {
    matches!(limiter.check(bucket, now), Decision::Allowed { .. })
}

/// Asks until refused; how often it was allowed.
fn use_up(limiter: &RateLimiter, bucket: Bucket, now: Instant) -> usize {
    (0..1_000_000)
        .take_while(|_| allowed(limiter, bucket, now))
        .count()
}

#[test]
fn zero_switches_it_off() {
    let limits = Limits {
        per_second: 0,
        burst: 100,
        exempt: Vec::new(),
        trusted_proxies: Vec::new(),
    };
    assert!(RateLimiter::new(&limits, Instant::now()).is_none());
}

#[test]
fn allows_a_burst_and_then_a_steady_rate() {
    let base = Instant::now();
    let limiter = limiter(50, 100, base);
    let bucket = Bucket::Client(direct(ADDRESS));
    assert_eq!(use_up(&limiter, bucket, base), 100);
    let interval = Duration::from_millis(20);
    for n in 1..=200_u32 {
        assert_eq!(
            use_up(&limiter, bucket, base + interval * n),
            1,
            "interval {n}"
        );
    }
    let idle = base + interval * 200 + Duration::from_secs(1);
    assert_eq!(use_up(&limiter, bucket, idle), 50, "one second of the rate");
    assert_eq!(
        use_up(&limiter, bucket, idle + Duration::from_hours(1)),
        100,
        "never more than the burst"
    );
}

#[test]
fn tells_what_is_left_and_when_to_come_back() {
    let base = Instant::now();
    let limiter = limiter(2, 5, base);
    let bucket = Bucket::Client(direct(ADDRESS));
    let first = limiter.check(bucket, base);
    let reset = Duration::from_millis(500);
    assert_eq!(
        first,
        Decision::Allowed {
            remaining: 4,
            reset
        }
    );
    let fields = limiter.fields(&first);
    assert_eq!(fields.limit, "\"default\";r=4;t=1");
    assert_eq!(fields.policy, "\"default\";q=5;w=3");
    assert_eq!(fields.retry_after, None);
    use_up(&limiter, bucket, base);
    let refused = limiter.check(bucket, base);
    assert_eq!(refused, Decision::Limited { retry_after: reset });
    let fields = limiter.fields(&refused);
    assert_eq!(fields.limit, "\"default\";r=0;t=1");
    assert_eq!(fields.retry_after, Some(HeaderValue::from_static("1")));
}

#[test]
fn retry_after_is_rounded_up_and_at_least_one_second() {
    for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
        let retry_after = Duration::from_millis(millis);
        let decision = Decision::Limited { retry_after };
        assert_eq!(decision.retry_after_seconds(), Some(seconds), "{millis} ms");
    }
}

#[test]
fn an_earlier_moment_is_taken_as_the_first() {
    let base = Instant::now();
    let limiter = limiter(1, 1, base + Duration::from_secs(1));
    let bucket = Bucket::Client(direct(ADDRESS));
    assert_eq!(use_up(&limiter, bucket, base), 1);
}

#[test]
fn forwarded_traffic_never_uses_up_the_direct_bucket() {
    let base = Instant::now();
    let limiter = limiter(50, 100, base);
    use_up(&limiter, Bucket::Client(forwarded(ADDRESS)), base);
    // Nor does a flood under every address that the table could tell apart.
    for n in 0..100_000_u32 {
        limiter.check(Bucket::Client(forwarded(n.to_be_bytes())), base);
    }
    assert_eq!(use_up(&limiter, Bucket::Client(direct(ADDRESS)), base), 100);
}

#[test]
fn failed_keys_touch_neither_clients_nor_keys() {
    let base = Instant::now();
    let limiter = limiter(50, 100, base);
    for client in [direct(ADDRESS), forwarded(ADDRESS)] {
        assert_eq!(use_up(&limiter, Bucket::FailedKey(client), base), 100);
        assert_eq!(use_up(&limiter, Bucket::Client(client), base), 100);
    }
    assert_eq!(use_up(&limiter, Bucket::Key(key(0)), base), 100);
}

#[test]
fn every_key_has_a_bucket_of_its_own() {
    let base = Instant::now();
    let limiter = limiter(50, 3, base);
    let one = key(0);
    for index in 0..KEYS {
        assert_eq!(
            use_up(&limiter, Bucket::Key(KeyId { index, ..one }), base),
            3,
            "key {index}"
        );
    }
    assert_eq!(key(7).index, 7);
}

#[test]
fn ipv6_counts_by_64_bits_and_mapped_ipv4_as_ipv4() {
    let base = Instant::now();
    let limiter = limiter(50, 100, base);
    let of = |text: &str| Bucket::Client(direct(text.parse::<IpAddr>().unwrap()));
    assert_eq!(use_up(&limiter, of("2001:db8:1:2::1"), base), 100);
    assert_eq!(
        use_up(&limiter, of("2001:db8:1:2:ffff:ffff:ffff:ffff"), base),
        0
    );
    assert_eq!(use_up(&limiter, of("2001:db8:1:3::1"), base), 100);
    assert_eq!(use_up(&limiter, of("192.0.2.1"), base), 100);
    assert_eq!(use_up(&limiter, of("::ffff:192.0.2.1"), base), 0);
    assert_eq!(
        use_up(&limiter, of("::c000:201"), base),
        100,
        "same bits, other family"
    );
}

#[test]
fn exempts_addresses_but_not_what_a_relay_forwards() {
    let limiter = limiter(1, 1, Instant::now());
    assert!(limiter.exempt(direct([10, 1, 2, 3])));
    assert!(limiter.exempt(forwarded([10, 1, 2, 3])));
    assert!(limiter.exempt(direct("::ffff:10.1.2.3".parse::<IpAddr>().unwrap())));
    assert!(!limiter.exempt(direct(ADDRESS)));
    let relayed = Client {
        relayed: true,
        ..forwarded([10, 1, 2, 3])
    };
    assert!(!limiter.exempt(relayed));
}

/// Innocent clients, one request each, refused out of 10,000 while `attackers` addresses keep their buckets full.
fn refused_during_a_flood(attackers: u32) -> usize {
    let base = Instant::now();
    let limiter = limiter(50, 100, base);
    for n in 0..attackers {
        use_up(&limiter, Bucket::Client(direct(n.to_be_bytes())), base);
    }
    let innocent = (0..10_000_u32).map(|n| (0xC000_0000 + n).to_be_bytes());
    innocent
        .filter(|address| !allowed(&limiter, Bucket::Client(direct(*address)), base))
        .count()
}

#[test]
fn a_flood_from_thousands_of_addresses_hardly_reaches_others() {
    // Kept up by 100,000 requests a second; 1 expected, by an equal tag.
    let refused = refused_during_a_flood(2_000);
    assert!(refused < 20, "{refused} of 10,000");
    // Kept up by 500,000 requests a second; 50 expected, nearly all in full sets.
    let refused = refused_during_a_flood(10_000);
    assert!(refused < 150, "{refused} of 10,000");
}

#[test]
fn a_full_table_shares_slots_and_lasts_for_one_drain_only() {
    let base = Instant::now();
    let limiter = limiter(50, 100, base);
    // More light clients than slots: all are allowed.
    for n in 0..100_000_u32 {
        assert!(
            allowed(&limiter, Bucket::Client(direct(n.to_be_bytes())), base),
            "client {n}"
        );
    }
    let drained = base + Duration::from_secs(2);
    assert_eq!(
        use_up(&limiter, Bucket::Client(direct(ADDRESS)), drained),
        100
    );
}

#[test]
fn threads_together_get_exactly_the_quota() {
    let base = Instant::now();
    let limiter = limiter(50, 1000, base);
    let buckets = [
        Bucket::Client(direct(ADDRESS)),
        Bucket::FailedKey(direct(ADDRESS)),
        Bucket::Key(key(0)),
    ];
    for bucket in buckets {
        for (now, quota) in [(base, 1000), (base + Duration::from_secs(1), 50)] {
            let count = AtomicU32::new(0);
            let start = std::sync::Barrier::new(8);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    let (limiter, count, start) = (&limiter, &count, &start);
                    scope.spawn(move || {
                        start.wait();
                        for _ in 0..1000 {
                            let one = u32::from(allowed(limiter, bucket, now));
                            count.fetch_add(one, Ordering::Relaxed);
                        }
                    });
                }
            });
            assert_eq!(count.into_inner(), quota, "{bucket:?}");
        }
    }
}

proptest! {
    /// Over any sequence of arrivals, one bucket decides what `governor` decides, waiting times included.
    #[test]
    fn agrees_with_governor(
        per_second in prop_oneof![1_u32..=200, 1_u32..=1_000_000],
        burst in 1_u32..=300,
        // In 1/8 of an interval, so that arrivals fall before, on and after the edges.
        gaps in proptest::collection::vec(prop_oneof![5 => 0_u32..=1, 3 => 0_u32..=24, 1 => 0_u32..=4000], 1..600),
        kind in 0..4,
    ) {
        let base = Instant::now();
        let limiter = limiter(per_second, burst, base);
        let bucket = match kind {
            0 => Bucket::Client(direct(ADDRESS)),
            1 => Bucket::Client(forwarded(ADDRESS)),
            2 => Bucket::FailedKey(direct(ADDRESS)),
            _ => Bucket::Key(key(0)),
        };
        let interval = limiter.gcra.interval();
        let quota = Quota::with_period(interval).unwrap().allow_burst(NonZeroU32::new(burst).unwrap());
        let clock = FakeRelativeClock::default();
        let oracle = Governor::direct_with_clock(quota, clock.clone());
        let mut now = base;
        for gap in gaps {
            // Whole ticks: what lies between two ticks is not told apart.
            let nanos = u64::try_from(interval.as_nanos()).unwrap() * u64::from(gap) / 8 / 64 * 64;
            now += Duration::from_nanos(nanos);
            clock.advance(Duration::from_nanos(nanos));
            match (limiter.check(bucket, now), oracle.check()) {
                (Decision::Allowed { .. }, Ok(())) => {}
                (Decision::Limited { retry_after }, Err(until)) => {
                    prop_assert_eq!(retry_after, until.wait_time_from(clock.now()));
                }
                (ours, theirs) => prop_assert!(false, "{:?}, governor: {:?}", ours, theirs),
            }
        }
    }

    /// `remaining` is the number of requests that are then allowed at once, and `reset` when all are again.
    #[test]
    fn keeps_its_promises(per_second in 1_u32..=10_000, burst in 1_u32..=200, before in 1_usize..=200, wait in 0_u64..2_000_000) {
        let base = Instant::now();
        let limiter = limiter(per_second, burst, base);
        let bucket = Bucket::Client(direct(ADDRESS));
        for _ in 1..before {
            limiter.check(bucket, base);
        }
        let now = base + Duration::from_micros(wait);
        match limiter.check(bucket, now) {
            Decision::Allowed { remaining, reset } => {
                prop_assert_eq!(use_up(&limiter, bucket, now) as u64, remaining);
                prop_assert!(reset <= limiter.gcra.interval() * burst);
            }
            Decision::Limited { retry_after } => {
                prop_assert!(!allowed(&limiter, bucket, now + retry_after - Duration::from_nanos(64)));
                prop_assert!(allowed(&limiter, bucket, now + retry_after));
            }
        }
    }
}

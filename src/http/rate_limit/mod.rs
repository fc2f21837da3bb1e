//! How often a client may ask: GCRA buckets in memory of a fixed size.
//!
//! Direct clients, forwarded clients, failed keys and valid keys have a table each, so that none of them, in whatever
//! number, can use up what belongs to another: a flood through a balancer never limits the balancer's own probe.

mod gcra;
mod table;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use tokio::time::Instant;

use self::gcra::{Gcra, span, ticks};
use self::table::{Row, Table};
use super::auth::KeyId;
use super::client_addr::Client;
use crate::config::Limits;

/// The field of the quota's state (draft-ietf-httpapi-ratelimit-headers-10).
pub const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The field of the quota itself (same draft).
pub const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Keys with a slot of their own. No more fit into `API_KEYS`: 16 characters and a comma each in the 128 KiB that Linux gives to
/// one variable, or the 64 KiB of `API_KEYS_FILE`, are 7,710 at most. Positions are distinct, so no two keys share.
const KEYS: usize = 8192;

/// What a request counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// A valid key. By its position: after a rotation a key may find its bucket used for as long as that takes to drain
    /// (burst / rate, 2 s by default).
    Key(KeyId),
    /// No key: the address (IPv4, or the /64 of IPv6) and whether the request was forwarded.
    Client(Client),
    /// A wrong key, counted apart so that it costs neither the client nor any key.
    FailedKey(Client),
}

/// The limiter's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allowed {
        /// Requests that would still be allowed at once.
        remaining: u64,
        /// Until the bucket has drained.
        reset: Duration,
    },
    /// Answer 429.
    Limited {
        /// Until the next request would be allowed.
        retry_after: Duration,
    },
}

impl Decision {
    /// What `Retry-After` says: whole seconds, rounded up, at least 1; `None` when allowed.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Decision::Allowed { .. } => None,
            Decision::Limited { retry_after } => Some(whole_seconds(*retry_after)),
        }
    }
}

/// Header values that tell a client about its quota.
#[derive(Debug, Clone)]
pub struct Fields {
    /// `RateLimit`: `"default";r=<remaining>;t=<seconds until more>`.
    pub limit: HeaderValue,
    /// `RateLimit-Policy`: `"default";q=<burst>;w=<seconds in which the burst comes back>`.
    pub policy: HeaderValue,
    /// `Retry-After`, with a 429 only.
    pub retry_after: Option<HeaderValue>,
}

/// `RATE_LIMIT_*`, applied.
#[derive(Debug)]
pub struct RateLimiter {
    gcra: Gcra,
    base: Instant,
    /// Keyed anew in each process: which addresses share a set cannot be computed by an outsider.
    hasher: RandomState,
    exempt: Vec<IpNet>,
    policy: HeaderValue,
    keys: Row,
    direct: Table,
    forwarded: Table,
    failed: Table,
}

impl RateLimiter {
    /// Takes its 832 KiB now and never more. `None` when `RATE_LIMIT_PER_SECOND` is 0. `now` is the earliest moment that
    /// [`RateLimiter::check`] can tell from an earlier one.
    pub fn new(limits: &Limits, now: Instant) -> Option<Self> {
        if limits.per_second == 0 {
            return None;
        }
        let burst = limits.burst.max(1);
        let window = burst.div_ceil(limits.per_second);
        Some(RateLimiter {
            gcra: Gcra::new(limits.per_second, burst),
            base: now,
            hasher: RandomState::new(),
            exempt: limits.exempt.clone(),
            policy: value(format!("\"default\";q={burst};w={window}")),
            keys: Row::new(KEYS),
            direct: Table::new(),
            forwarded: Table::new(),
            failed: Table::new(),
        })
    }

    /// Whether `RATE_LIMIT_EXEMPT` names this client. A relay's address exempts nobody but the relay itself: exempting a balancer
    /// for its probes must not open the door to all that it forwards.
    pub fn exempt(&self, client: Client) -> bool {
        let address = client.address.to_canonical();
        !client.relayed && self.exempt.iter().any(|net| net.contains(&address))
    }

    /// Counts one request at `now`, or refuses it, which costs the client nothing.
    pub fn check(&self, bucket: Bucket, now: Instant) -> Decision {
        let now = ticks(self.base, now);
        let taken = match bucket {
            Bucket::Key(key) => self.keys.take(self.gcra, key.index, now),
            Bucket::Client(client) if client.forwarded => {
                self.forwarded.take(self.gcra, self.hash(client), now)
            }
            Bucket::Client(client) => self.direct.take(self.gcra, self.hash(client), now),
            Bucket::FailedKey(client) => self.failed.take(self.gcra, self.hash(client), now),
        };
        match taken {
            Ok(tat) => Decision::Allowed {
                remaining: self.gcra.remaining(tat, now),
                reset: span(tat - now),
            },
            Err(wait) => Decision::Limited {
                retry_after: span(wait),
            },
        }
    }

    /// The header fields that go with `decision`.
    pub fn fields(&self, decision: &Decision) -> Fields {
        let (remaining, seconds) = match decision {
            Decision::Allowed { remaining, reset } => (*remaining, whole_seconds(*reset)),
            Decision::Limited { retry_after } => (0, whole_seconds(*retry_after)),
        };
        Fields {
            limit: value(format!("\"default\";r={remaining};t={seconds}")),
            policy: self.policy.clone(),
            retry_after: decision.retry_after_seconds().map(HeaderValue::from),
        }
    }

    fn hash(&self, client: Client) -> u64 {
        self.hasher.hash_one(number(client))
    }
}

/// Who counts as one, as one number: an IPv4 address, or the /64 that an IPv6 subscriber gets at least; and whether
/// the request was forwarded.
fn number(client: Client) -> u128 {
    const IS_V6: u128 = 1 << 64;
    const IS_FORWARDED: u128 = 1 << 65;
    let prefix = match client.address.to_canonical() {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => IS_V6 | v6.to_bits() >> 64,
    };
    if client.forwarded {
        IS_FORWARDED | prefix
    } else {
        prefix
    }
}

fn whole_seconds(duration: Duration) -> u64 {
    let up = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(up).max(1)
}

#[expect(
    clippy::expect_used,
    reason = "quotes, letters, '=', ';' and digits are valid in a header value"
)]
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("the text is visible ASCII")
}

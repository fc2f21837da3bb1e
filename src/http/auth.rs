//! Who asks: the operator key of a request.

use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::config::secret::{ApiKeys, Current};

/// The header that carries a key.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The scheme of `Authorization` that carries one, with the space that follows it.
const BEARER: &[u8] = b"bearer ";

/// A longer value, in bytes, is refused before it is hashed, so that a check costs little whatever is sent.
const LONGEST: usize = 512;

/// The first 8 hex digits of a key's SHA-256: the only form in which a key reaches logs and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 4]);

impl Fingerprint {
    fn of(digest: &[u8; 32]) -> Self {
        let [a, b, c, d, ..] = *digest;
        Fingerprint([a, b, c, d])
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One of the configured keys. Displays as its fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId {
    /// Position in `API_KEYS`: distinct for distinct keys of one generation, may change when keys rotate.
    pub index: usize,
    /// The name to log.
    pub fingerprint: Fingerprint,
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fingerprint.fmt(f)
    }
}

/// What a request's key amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// None was sent.
    Missing,
    /// Not a configured key, sent twice, or longer than 512 bytes.
    Invalid,
    /// A configured key.
    Valid(KeyId),
}

/// Compares keys with the current `API_KEYS`.
#[derive(Debug, Clone)]
pub struct Authenticator {
    keys: Current<ApiKeys>,
}

impl Authenticator {
    /// Follows `keys` from now on: a rotated key counts from the next request.
    pub fn new(keys: Current<ApiKeys>) -> Self {
        Authenticator { keys }
    }

    /// Whether there is any key at all.
    pub fn configured(&self) -> bool {
        !self.keys.get().digests.is_empty()
    }

    /// Judges the request's `X-Api-Key`; always `Invalid` for a header when no key is configured.
    pub fn check(&self, headers: &HeaderMap) -> Credential {
        let mut values = headers.get_all(X_API_KEY).iter();
        let Some(value) = values.next() else {
            return Credential::Missing;
        };
        // Two values: a relay may look at another one than this service would.
        if values.next().is_some() {
            return Credential::Invalid;
        }
        self.judge(value.as_bytes())
    }

    /// The same, and without an `X-Api-Key` the key in `Authorization: Bearer`: what a scraper can send. Other
    /// schemes are somebody else's.
    pub fn check_bearer(&self, headers: &HeaderMap) -> Credential {
        if headers.contains_key(X_API_KEY) {
            return self.check(headers);
        }
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().map(HeaderValue::as_bytes);
        let Some((scheme, key)) = value.and_then(|value| value.split_at_checked(BEARER.len()))
        else {
            return Credential::Missing;
        };
        if !scheme.eq_ignore_ascii_case(BEARER) {
            return Credential::Missing;
        }
        if values.next().is_some() {
            return Credential::Invalid;
        }
        self.judge(key.trim_ascii_start())
    }

    fn judge(&self, key: &[u8]) -> Credential {
        if key.len() > LONGEST {
            return Credential::Invalid;
        }
        let digest: [u8; 32] = Sha256::digest(key).into();
        match position(&self.keys.get().digests, &digest) {
            Some(index) => Credential::Valid(KeyId {
                index,
                fingerprint: Fingerprint::of(&digest),
            }),
            None => Credential::Invalid,
        }
    }
}

/// Where `digest` stands in `digests`. Looks at every byte of every one, so that the time taken tells
/// nothing about how much of which key was right.
fn position(digests: &[[u8; 32]], digest: &[u8; 32]) -> Option<usize> {
    let mut found = Choice::from(0);
    let mut at = 0_u64;
    for (index, candidate) in (0_u64..).zip(digests) {
        let same = candidate.ct_eq(digest);
        at.conditional_assign(&index, same);
        found |= same;
    }
    bool::from(found)
        .then(|| usize::try_from(at).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an-old-operator-key";
    const NEW: &str = "a-new-operator-key!";

    fn keys(plain: &[&str]) -> ApiKeys {
        let digests = plain.iter().map(|key| Sha256::digest(key).into()).collect();
        ApiKeys { digests }
    }

    fn sent(values: &[&str]) -> HeaderMap {
        let value = |value: &&str| (X_API_KEY, HeaderValue::from_str(value).unwrap());
        values.iter().map(value).collect()
    }

    fn index(credential: Credential) -> Option<usize> {
        match credential {
            Credential::Valid(key) => Some(key.index),
            _ => None,
        }
    }

    #[test]
    fn tells_missing_from_invalid_from_valid() {
        let auth = Authenticator::new(Current::fixed(keys(&[OLD, NEW])));
        assert!(auth.configured());
        assert_eq!(auth.check(&sent(&[])), Credential::Missing);
        let long = OLD.repeat(100);
        for wrong in ["", "x", "an-old-operator-ke", "an-old-operator-key2", &long] {
            assert_eq!(auth.check(&sent(&[wrong])), Credential::Invalid, "{wrong}");
        }
        assert_eq!(index(auth.check(&sent(&[OLD]))), Some(0));
        assert_eq!(index(auth.check(&sent(&[NEW]))), Some(1));
    }

    #[test]
    fn refuses_a_key_sent_twice_even_if_both_are_valid() {
        let auth = Authenticator::new(Current::fixed(keys(&[OLD, NEW])));
        for twice in [[OLD, OLD], [OLD, NEW], ["x", OLD], [OLD, ""]] {
            assert_eq!(auth.check(&sent(&twice)), Credential::Invalid, "{twice:?}");
        }
    }

    #[test]
    fn refuses_a_long_value_even_if_it_is_a_key() {
        let longest = "k".repeat(LONGEST);
        let longer = "k".repeat(LONGEST + 1);
        let auth = Authenticator::new(Current::fixed(keys(&[&longest, &longer])));
        assert_eq!(index(auth.check(&sent(&[&longest]))), Some(0));
        assert_eq!(auth.check(&sent(&[&longer])), Credential::Invalid);
    }

    #[test]
    fn a_bearer_counts_where_it_is_asked_for_and_no_x_api_key_is_sent() {
        let auth = Authenticator::new(Current::fixed(keys(&[OLD, NEW])));
        let with = |bearers: &[&str], plain: &[&str]| {
            let value = |value: &&str| (AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            let mut headers = sent(plain);
            headers.extend(bearers.iter().map(value).collect::<HeaderMap>());
            auth.check_bearer(&headers)
        };
        for bearer in ["Bearer", "bearer", "BEARER "] {
            let bearer = format!("{bearer} {NEW}");
            assert_eq!(index(with(&[&bearer], &[])), Some(1), "{bearer}");
            assert_eq!(auth.check(&sent(&[])), Credential::Missing);
        }
        let valid = format!("Bearer {OLD}");
        for wrong in ["Bearer x", "Bearer  ", "Bearer a-new-operator-key! x"] {
            assert_eq!(with(&[wrong], &[]), Credential::Invalid, "{wrong}");
        }
        assert_eq!(with(&[&valid, &valid], &[]), Credential::Invalid);
        assert_eq!(with(&[&valid], &["x"]), Credential::Invalid);
        assert_eq!(index(with(&["Bearer x"], &[NEW])), Some(1));
        for none in ["", "Bearer", "Basic dXNlcg==", "Bearerx y"] {
            assert_eq!(with(&[none], &[]), Credential::Missing, "{none}");
        }
        assert_eq!(with(&[], &[]), Credential::Missing);
    }

    #[test]
    fn accepts_bytes_beyond_ascii() {
        let auth = Authenticator::new(Current::fixed(keys(&["schlüssel-zum-glück"])));
        let value = HeaderValue::from_bytes("schlüssel-zum-glück".as_bytes()).unwrap();
        let headers = HeaderMap::from_iter([(X_API_KEY, value)]);
        assert_eq!(index(auth.check(&headers)), Some(0));
    }

    #[test]
    fn without_keys_every_value_is_invalid() {
        let auth = Authenticator::new(Current::fixed(ApiKeys::default()));
        assert!(!auth.configured());
        assert_eq!(auth.check(&sent(&[])), Credential::Missing);
        assert_eq!(auth.check(&sent(&[OLD])), Credential::Invalid);
    }

    #[test]
    fn follows_a_rotation() {
        let (publish, current) = Current::new(keys(&[OLD]));
        let auth = Authenticator::new(current);
        assert_eq!(auth.check(&sent(&[NEW])), Credential::Invalid);
        publish.send_replace(keys(&[NEW, OLD]).into());
        assert_eq!(index(auth.check(&sent(&[NEW]))), Some(0));
        assert_eq!(index(auth.check(&sent(&[OLD]))), Some(1));
        publish.send_replace(keys(&[NEW]).into());
        assert_eq!(auth.check(&sent(&[OLD])), Credential::Invalid);
    }

    #[test]
    fn shows_a_key_by_eight_digits_of_its_digest_only() {
        let auth = Authenticator::new(Current::fixed(keys(&["abc"])));
        let Credential::Valid(key) = auth.check(&sent(&["abc"])) else {
            panic!("a configured key is valid");
        };
        // FIPS 180-2, appendix B.1.
        assert_eq!(key.to_string(), "ba7816bf");
        assert_eq!(
            format!("{key:?}"),
            "KeyId { index: 0, fingerprint: ba7816bf }"
        );
        assert!(
            !format!("{auth:?}").contains("186"),
            "no digest byte (0xba)"
        );
    }
}

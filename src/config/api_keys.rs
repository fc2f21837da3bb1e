//! `API_KEYS`: the operator keys of this service.

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::generation::{Group, Resolved};
use super::secret::ApiKeys;
use super::secret_lists;
use super::secret_source::{Given, Source};
use super::values::{Parsed, Position, parsed};

const ACCEPTED: &str =
    "comma-separated keys of at least 16 visible ASCII characters, or sha256:<64 hex digits>";

/// Where the keys come from.
pub(super) struct KeysGroup(pub(super) [Source; 1]);

impl Group for KeysGroup {
    type Value = ApiKeys;

    fn sources(&self) -> &[Source] {
        &self.0
    }

    /// No value at all when malformed: an empty list of keys would mean that there are none.
    fn resolve(&self, given: &[Given]) -> Resolved<ApiKeys> {
        let Some(given) = given.first() else {
            return Resolved::good(ApiKeys::default());
        };
        match &given.text {
            Ok(None) => Resolved::good(ApiKeys::default()),
            Ok(Some(text)) => match parsed(text.expose_secret(), keys) {
                Ok(keys) => Resolved::good(keys),
                Err(fault) => Resolved::refused(fault.of(given.blamed)),
            },
            Err(problem) => Resolved::refused(problem.clone()),
        }
    }
}

fn keys(text: &str) -> Parsed<ApiKeys> {
    const TWICE: &str = "is the same key as another item";
    let digests = secret_lists::different(text, ACCEPTED, TWICE, digest)?;
    Ok(ApiKeys { digests })
}

fn digest(item: &str, at: Position) -> Parsed<[u8; 32]> {
    if let Some(hex_digits) = item.strip_prefix("sha256:") {
        let mut digest = [0; 32];
        return match hex::decode_to_slice(hex_digits, &mut digest) {
            Ok(()) => Ok(digest),
            Err(_) => Err(at.fault("is not 64 hex digits after sha256:", ACCEPTED)),
        };
    }
    secret_lists::visible(item, at, ACCEPTED)?;
    if item.len() < 16 {
        return Err(at.length(item.len(), ACCEPTED));
    }
    Ok(Sha256::digest(item).into())
}

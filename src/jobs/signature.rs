//! Who may tell: signatures of the API's webhook, the token of RunPod's.
//!
//! `X-Webhook-Signature: sha256=<hex>` is the HMAC-SHA256 of `{timestamp}.{raw body}`, the timestamp as it was sent.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use time::format_description::well_known::Iso8601;
use time::{OffsetDateTime, PrimitiveDateTime};

const FORM: &str = "X-Webhook-Signature is not sha256= and 64 hex digits";
const NO_SECRET: &str =
    "X-Webhook-Signature is not that of timestamp and body under any configured secret";

/// The signature of `timestamp` and `body`, if one of `secrets` made it.
///
/// # Errors
/// A sentence for the sender.
pub(super) fn verify(
    secrets: &[SecretString],
    timestamp: &str,
    body: &[u8],
    given: &str,
) -> Result<[u8; 32], &'static str> {
    let digits = given.trim().strip_prefix("sha256=").ok_or(FORM)?;
    let mut signature = [0; 32];
    hex::decode_to_slice(digits, &mut signature).map_err(|_| FORM)?;
    // Every secret is tried, so that the time tells nothing of which one was right.
    let mut matches = Choice::from(0);
    for secret in secrets {
        matches |= sign(secret, timestamp, body).ct_eq(&signature);
    }
    if bool::from(matches) {
        Ok(signature)
    } else {
        Err(NO_SECRET)
    }
}

fn sign(secret: &SecretString, timestamp: &str, body: &[u8]) -> [u8; 32] {
    #[expect(
        clippy::expect_used,
        reason = "RFC 2104: a key of any length; the type only knows that of ciphers"
    )]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().into()
}

/// What tells one signed delivery from another.
pub(super) fn digest(timestamp: &str, body: &[u8]) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(timestamp);
    digest.update(b".");
    digest.update(body);
    digest.finalize().into()
}

/// Whether `token` is one of those with these digests; looks at all of them.
pub(super) fn is_token(digests: &[[u8; 32]], token: &str) -> bool {
    let given: [u8; 32] = Sha256::digest(token).into();
    let mut matches = Choice::from(0);
    for digest in digests {
        matches |= digest.ct_eq(&given);
    }
    matches.into()
}

/// ISO 8601 as JavaScript, Python and Go write it; without an offset it is UTC.
pub(super) fn timestamp(text: &str) -> Option<OffsetDateTime> {
    // Python's str() puts a space where isoformat() puts a T.
    let text = text.trim().replacen(' ', "T", 1);
    OffsetDateTime::parse(&text, &Iso8601::DEFAULT)
        .or_else(|_| {
            PrimitiveDateTime::parse(&text, &Iso8601::DEFAULT).map(PrimitiveDateTime::assume_utc)
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(plain: &[&str]) -> Vec<SecretString> {
        plain.iter().map(|&secret| secret.into()).collect()
    }

    /// `printf '2026-11-26T00:00:00Z.{"a":1}' | openssl dgst -sha256 -hmac whsec_0123456789abcdef`
    const BY_OPENSSL: &str =
        "sha256=5e9769dfe186af42d7e19c5dcb68a078f9314ea45e49f4e1046abbb2bfb547b7";

    #[test]
    fn agrees_with_openssl_under_any_of_several_secrets() {
        let verify = |secret: &[&str], at, body: &str, given: &str| {
            verify(&secrets(secret), at, body.as_bytes(), given)
        };
        let (at, body) = ("2026-11-26T00:00:00Z", r#"{"a":1}"#);
        let (ours, other) = ("whsec_0123456789abcdef", "whsec_of-somebody-else");
        for known in [&[ours][..], &[ours, other], &[other, ours]] {
            assert!(verify(known, at, body, BY_OPENSSL).is_ok());
            assert!(
                verify(
                    known,
                    at,
                    body,
                    &BY_OPENSSL.to_uppercase().replace("SHA", "sha")
                )
                .is_ok()
            );
        }
        for (known, at, body) in [
            (&[other][..], at, body),
            (&[], at, body),
            (&[ours], "2026-11-26T00:00:01Z", body),
            (&[ours], at, r#"{"a":2}"#),
            // Where one ends and the other begins is signed, too.
            (&[ours], "2026-11-26T00:00:00Z.", r#"{"a":1}"#),
        ] {
            assert_eq!(verify(known, at, body, BY_OPENSSL), Err(NO_SECRET));
        }
        for malformed in [
            "",
            "sha256=",
            "sha1=00",
            &BY_OPENSSL[7..],
            &BY_OPENSSL[..70],
        ] {
            assert_eq!(
                verify(&[ours], at, body, malformed),
                Err(FORM),
                "{malformed}"
            );
        }
    }

    #[test]
    fn reads_the_timestamps_of_the_usual_languages() {
        let at = |text| timestamp(text).map(|at| at.unix_timestamp_nanos() / 1_000_000);
        for same in [
            "2026-11-26T02:17:01.123Z",
            "2026-11-26T02:17:01.123456+00:00",
            "2026-11-26T02:17:01.123456",
            "2026-11-26 02:17:01.123456+00:00",
            "2026-11-26T03:17:01.123+01:00",
            "2026-11-26T02:17:01.123456789Z",
        ] {
            assert_eq!(at(same), Some(1_795_659_421_123), "{same}");
        }
        assert_eq!(at("2026-11-26T02:17:01Z"), Some(1_795_659_421_000));
        for bad in [
            "",
            "now",
            "1795659421",
            "2026-11-26",
            "2026-13-01T00:00:00Z",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn tokens_are_compared_as_digests() {
        let digests: Vec<[u8; 32]> = ["one", "two"].map(|t| Sha256::digest(t).into()).to_vec();
        assert!(is_token(&digests, "one") && is_token(&digests, "two"));
        assert!(!is_token(&digests, "three") && !is_token(&[], "") && !is_token(&digests, ""));
    }
}

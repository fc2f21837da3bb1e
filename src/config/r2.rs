//! R2's values. Forms of keys and buckets: Cloudflare's R2 API documentation.

use secrecy::ExposeSecret;

use super::checks::{Findings, plain, secret};
use super::generation::{Group, Resolved};
use super::r2_endpoint::{Endpoint, Jurisdiction, is_cloudflare};
use super::raw::RawR2;
use super::secret_source::{Given, Source};
use super::types::{Problem, R2, Setup};
use super::values::{Fault, Parsed};
use crate::detail::{Detail, Label};

const ACCESS_KEY: &str = "the access key id, 32 characters";
const SECRET: &str = "the secret access key alone, 64 hex digits";
const TOKEN: &str = "the session token alone";
const BUCKET: &str = "the bucket's name: 3 to 63 of a-z 0-9 . -, a letter or digit at both ends";

/// R2's variables that are shown; a malformed one stops nothing but the check.
pub(super) const SHOWN: &[&str] = &["R2_ACCOUNT_ID", "R2_BUCKET", "R2_BUCKET_NAME"];

/// What R2's setup is made of, all but the secrets fixed.
pub(super) struct R2Group {
    account_id: Option<String>,
    bucket: Option<String>,
    bucket_name: Option<String>,
    endpoint: Endpoint,
    jurisdiction: Option<Jurisdiction>,
    /// Of [`SHOWN`] variables, which are not set here then.
    refused: Vec<Problem>,
    sources: [Source; 3],
}

impl R2Group {
    pub(super) fn new(
        raw: RawR2,
        endpoint: Endpoint,
        jurisdiction: Option<Jurisdiction>,
        refused: Vec<Problem>,
    ) -> Self {
        let sources = [
            Source::new(
                "R2_ACCESS_KEY_ID",
                raw.r2_access_key_id.as_ref(),
                raw.r2_access_key_id_file.as_ref(),
            ),
            Source::new(
                "R2_SECRET_ACCESS_KEY",
                raw.r2_secret_access_key.as_ref(),
                raw.r2_secret_access_key_file.as_ref(),
            ),
            Source::new(
                "R2_SESSION_TOKEN",
                raw.r2_session_token.as_ref(),
                raw.r2_session_token_file.as_ref(),
            ),
        ];
        R2Group {
            account_id: raw.r2_account_id,
            bucket: raw.r2_bucket,
            bucket_name: raw.r2_bucket_name,
            endpoint,
            jurisdiction,
            refused,
            sources,
        }
    }

    /// `R2_BUCKET`, or its alias; both are looked at.
    fn bucket(&self, findings: &mut Findings) -> Option<Label> {
        let own = plain("R2_BUCKET", self.bucket.as_ref(), bucket);
        let alias = plain("R2_BUCKET_NAME", self.bucket_name.as_ref(), bucket);
        match (own, alias) {
            (Ok(Some(own)), Ok(Some(alias))) if own != alias => {
                let wrong = "and R2_BUCKET_NAME are both set and differ";
                findings
                    .problems
                    .push(Fault::new(wrong, "one of the two").of("R2_BUCKET"));
                None
            }
            (Ok(own), Ok(alias)) => findings.required("R2_BUCKET", Ok(own.or(alias))),
            (own, alias) => {
                findings
                    .problems
                    .extend([own.err(), alias.err()].into_iter().flatten());
                None
            }
        }
    }
}

impl Group for R2Group {
    type Value = Setup<R2>;

    fn sources(&self) -> &[Source] {
        &self.sources
    }

    fn resolve(&self, given: &[Given]) -> Resolved<Self::Value> {
        let cloudflare = self.endpoint.is_cloudflare();
        let mut findings = Findings::new(self.refused.clone());
        let account_id = self.account_id.as_ref();
        let endpoint = self
            .endpoint
            .resolve(account_id, self.jurisdiction, &mut findings);
        let bucket = self.bucket(&mut findings);
        let [key, secret_key, token] = given else {
            return Resolved::setup(findings.into_setup(None));
        };
        let key = secret(key, ACCESS_KEY, |text| access_key(text, cloudflare));
        let access_key_id = findings.required("R2_ACCESS_KEY_ID", key);
        let secret_key = secret(secret_key, SECRET, |_| Ok(()));
        let secret_access_key = findings.required("R2_SECRET_ACCESS_KEY", secret_key);
        let session_token = findings.optional(secret(token, TOKEN, |_| Ok(())));
        let ready = (|| {
            Some(R2 {
                endpoint: endpoint?,
                bucket: bucket?,
                access_key_id: access_key_id?,
                secret_access_key: secret_access_key?,
                session_token,
            })
        })();
        Resolved::setup(findings.into_setup(ready))
    }
}

fn access_key(text: &str, cloudflare: bool) -> Parsed<()> {
    match text.len() {
        _ if !cloudflare => Ok(()),
        32 => Ok(()),
        64 => Err(Fault::new(
            "has 64 characters and looks like the secret access key",
            ACCESS_KEY,
        )),
        length => Err(Fault::length(length, ACCESS_KEY)),
    }
}

fn bucket(text: &str) -> Parsed<Label> {
    let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if text.contains('/') {
        return Err(Fault::new("has a slash", BUCKET));
    }
    if !(3..=63).contains(&text.len()) {
        return Err(Fault::length(text.chars().count(), BUCKET));
    }
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    let label = Label::new(text.to_owned());
    match label {
        Some(label)
            if text.bytes().all(inner)
                && ends(text.bytes().next())
                && ends(text.bytes().next_back()) =>
        {
            Ok(label)
        }
        _ => Err(Fault::new("is not a bucket's name", BUCKET)),
    }
}

/// What may be right and is worth a word.
pub(super) fn lints(r2: &R2) -> Vec<Detail> {
    let secret = r2.secret_access_key.expose_secret();
    let usual = secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit());
    if usual || !is_cloudflare(&r2.endpoint) {
        return Vec::new();
    }
    vec![Detail::new().text(
        "R2_SECRET_ACCESS_KEY is not 64 hex digits: an API token's value must be hashed with SHA-256 to be the secret",
    )]
}

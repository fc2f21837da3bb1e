//! R2's values. Forms of account ids, keys and endpoints: Cloudflare's R2 API documentation.

use reqwest::Url;
use secrecy::ExposeSecret;

use super::checks::{Findings, plain, secret};
use super::raw::RawR2;
use super::reload::{Group, Resolved};
use super::secret_source::{Given, Source};
use super::types::{Problem, R2, Setup};
use super::values::{Fault, Parsed};
use crate::detail::{Detail, Label};

const HOST: &str = ".r2.cloudflarestorage.com";
const ACCOUNT: &str = "the account id, 32 hex digits, from the R2 overview of the dashboard";
const ENDPOINT: &str = "https://<account id>.r2.cloudflarestorage.com";
const ACCESS_KEY: &str = "the access key id, 32 characters";
const SECRET: &str = "the secret access key alone, 64 hex digits";
const TOKEN: &str = "the session token alone";
const BUCKET: &str = "the bucket's name: 3 to 63 of a-z 0-9 . -, a letter or digit at both ends";

/// Where a bucket's data must stay; each jurisdiction has a host of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jurisdiction {
    Eu,
    FedRamp,
}

impl Jurisdiction {
    fn label(self) -> &'static str {
        match self {
            Jurisdiction::Eu => "eu",
            Jurisdiction::FedRamp => "fedramp",
        }
    }
}

/// What R2's setup is made of, all but the secrets fixed.
pub(super) struct R2Group {
    account_id: Option<String>,
    bucket: Option<String>,
    bucket_name: Option<String>,
    endpoint: Option<Url>,
    jurisdiction: Option<Jurisdiction>,
    sources: [Source; 3],
}

impl R2Group {
    pub(super) fn new(
        raw: RawR2,
        endpoint: Option<Url>,
        jurisdiction: Option<Jurisdiction>,
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
            sources,
        }
    }

    /// The endpoint that is set, or the account's own.
    fn endpoint(&self, findings: &mut Findings) -> Option<Url> {
        let account = match plain("R2_ACCOUNT_ID", self.account_id.as_ref(), account_id) {
            Ok(account) => account,
            Err(problem) => {
                findings.problems.push(problem);
                return None;
            }
        };
        if let Some(endpoint) = &self.endpoint {
            return match agree(endpoint, account.as_deref(), self.jurisdiction) {
                Ok(()) => Some(endpoint.clone()),
                Err(problem) => {
                    findings.problems.push(problem);
                    None
                }
            };
        }
        let account = findings.required("R2_ACCOUNT_ID", Ok(account))?;
        let dot = if self.jurisdiction.is_some() { "." } else { "" };
        let jurisdiction = self.jurisdiction.map_or("", Jurisdiction::label);
        let url = Url::parse(&format!("https://{account}{dot}{jurisdiction}{HOST}"));
        // Hex digits and literals: this cannot fail.
        url.ok()
    }

    /// `R2_BUCKET`, or its alias.
    fn bucket(&self) -> Result<Option<Label>, Problem> {
        if let (Some(bucket), Some(alias)) = (&self.bucket, &self.bucket_name)
            && bucket != alias
        {
            return Err(Fault::new(
                "and R2_BUCKET_NAME are both set and differ",
                "one of the two",
            )
            .of("R2_BUCKET"));
        }
        match &self.bucket {
            None => plain("R2_BUCKET_NAME", self.bucket_name.as_ref(), bucket),
            bucket_variable => plain("R2_BUCKET", bucket_variable.as_ref(), bucket),
        }
    }
}

impl Group for R2Group {
    type Value = Setup<R2>;

    fn sources(&self) -> &[Source] {
        &self.sources
    }

    fn resolve(&self, given: &[Given]) -> Resolved<Self::Value> {
        // Other S3 servers have other forms of keys.
        let cloudflare = self.endpoint.as_ref().is_none_or(is_cloudflare);
        let mut findings = Findings::default();
        let endpoint = self.endpoint(&mut findings);
        let bucket = findings.required("R2_BUCKET", self.bucket());
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

/// Whether the endpoint is R2's own, where keys and hosts have R2's forms.
pub(crate) fn is_cloudflare(endpoint: &Url) -> bool {
    endpoint.host_str().is_some_and(|host| host.ends_with(HOST))
}

/// Refuses an endpoint that contradicts itself or the other variables: the calls would go to another
/// account or jurisdiction than the operator believes.
fn agree(
    endpoint: &Url,
    account: Option<&str>,
    jurisdiction: Option<Jurisdiction>,
) -> Result<(), Problem> {
    let host = endpoint.host_str().unwrap_or_default();
    let Some(labels) = host.strip_suffix(HOST) else {
        if jurisdiction.is_some() {
            let fault = Fault::new(
                "is set next to an R2_ENDPOINT_URL that is not R2's",
                "one of the two",
            );
            return Err(fault.of("R2_JURISDICTION"));
        }
        return Ok(());
    };
    let (first, second) = labels.split_once('.').unwrap_or((labels, ""));
    if account_id(first).is_err() {
        let wrong = "has a host that does not begin with an account id of 32 hex digits";
        return Err(Fault::new(wrong, ENDPOINT).of("R2_ENDPOINT_URL"));
    }
    if account.is_some_and(|account| account != first) {
        let fault = Fault::new(
            "is not the account in R2_ENDPOINT_URL",
            "one of the two, or the same account",
        );
        return Err(fault.of("R2_ACCOUNT_ID"));
    }
    if jurisdiction.is_some_and(|jurisdiction| jurisdiction.label() != second) {
        let fault = Fault::new(
            "is not the jurisdiction in R2_ENDPOINT_URL",
            "one of the two, or the same jurisdiction",
        );
        return Err(fault.of("R2_JURISDICTION"));
    }
    Ok(())
}

fn account_id(text: &str) -> Parsed<String> {
    if text.len() != 32 {
        let wrong = Detail::new()
            .text("has ")
            .number(text.chars().count())
            .text(" characters");
        return Err(Fault {
            wrong,
            accepted: ACCOUNT,
        });
    }
    if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Fault::new("is not hexadecimal", ACCOUNT));
    }
    Ok(text.to_ascii_lowercase())
}

fn access_key(text: &str, cloudflare: bool) -> Parsed<()> {
    match text.len() {
        _ if !cloudflare => Ok(()),
        32 => Ok(()),
        64 => Err(Fault::new(
            "has 64 characters and looks like the secret access key",
            ACCESS_KEY,
        )),
        length => {
            let wrong = Detail::new()
                .text("has ")
                .number(length)
                .text(" characters");
            Err(Fault {
                wrong,
                accepted: ACCESS_KEY,
            })
        }
    }
}

fn bucket(text: &str) -> Parsed<Label> {
    let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if text.contains('/') {
        return Err(Fault::new("has a slash", BUCKET));
    }
    if !(3..=63).contains(&text.len()) {
        let wrong = Detail::new()
            .text("has ")
            .number(text.chars().count())
            .text(" characters");
        return Err(Fault {
            wrong,
            accepted: BUCKET,
        });
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
pub(super) fn lints(setup: &Setup<R2>) -> Vec<Detail> {
    let Setup::Ready(r2) = setup else {
        return Vec::new();
    };
    let secret = r2.secret_access_key.expose_secret();
    let usual = secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit());
    if usual || !is_cloudflare(&r2.endpoint) {
        return Vec::new();
    }
    vec![Detail::new().text(
        "R2_SECRET_ACCESS_KEY is not 64 hex digits: an API token's value must be hashed with SHA-256 to be the secret",
    )]
}

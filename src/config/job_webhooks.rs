//! `JOB_WEBHOOK_SECRET` and `RUNPOD_WEBHOOK_TOKEN`: what webhooks of jobs are checked against.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::checks::begins_with_name;
use super::generation::{Group, Resolved};
use super::job_types::JobWebhooks;
use super::raw::RawJobs;
use super::secret_lists;
use super::secret_source::{Given, Source};
use super::types::Problem;
use super::values::{Fault, Parsed, parsed};

const SECRETS: &str = "comma-separated secrets of at least 16 visible ASCII characters";
const TOKENS: &str = "comma-separated tokens of at least 32 characters of A-Z a-z 0-9 _ -";

/// Where secrets and tokens come from.
pub(super) struct WebhooksGroup([Source; 2]);

impl WebhooksGroup {
    pub(super) fn new(raw: &RawJobs) -> Self {
        WebhooksGroup([
            Source::new(
                "JOB_WEBHOOK_SECRET",
                raw.job_webhook_secret.as_ref(),
                raw.job_webhook_secret_file.as_ref(),
            ),
            Source::new(
                "RUNPOD_WEBHOOK_TOKEN",
                raw.runpod_webhook_token.as_ref(),
                raw.runpod_webhook_token_file.as_ref(),
            ),
        ])
    }
}

impl Group for WebhooksGroup {
    type Value = JobWebhooks;

    fn sources(&self) -> &[Source] {
        &self.0
    }

    /// No value at all when malformed: an empty list would mean that the webhook is not configured.
    fn resolve(&self, given: &[Given]) -> Resolved<JobWebhooks> {
        let [secret, token] = given else {
            return Resolved::good(JobWebhooks::default());
        };
        match (
            items(secret, SECRETS, secrets),
            items(token, TOKENS, tokens),
        ) {
            (Ok(secrets), Ok(runpod_tokens)) => Resolved::good(JobWebhooks {
                secrets,
                runpod_tokens,
            }),
            (secrets, tokens) => Resolved {
                value: None,
                problems: [secrets.err(), tokens.err()]
                    .into_iter()
                    .flatten()
                    .collect(),
            },
        }
    }
}

/// What `parse` makes of one of the two; nothing if it is not set.
fn items<T>(
    given: &Given,
    accepted: &'static str,
    parse: impl FnOnce(&str) -> Parsed<Vec<T>>,
) -> Result<Vec<T>, Problem> {
    let Some(text) = given.text.as_ref().map_err(Clone::clone)? else {
        return Ok(Vec::new());
    };
    let items = parsed(text.expose_secret(), |text| {
        // It would be a secret that nobody signs with.
        if begins_with_name(text, given.name) {
            return Err(Fault::new("begins with its own name and =", accepted));
        }
        parse(text)
    });
    items.map_err(|fault| fault.of(given.blamed))
}

fn secrets(text: &str) -> Parsed<Vec<SecretString>> {
    const TWICE: &str = "is the same secret as another item";
    let secrets = secret_lists::different(text, SECRETS, TWICE, |item, at| {
        secret_lists::visible(item, at, SECRETS)?;
        if item.len() < 16 {
            return Err(at.length(item.len(), SECRETS));
        }
        Ok(item.to_owned())
    })?;
    Ok(secrets.into_iter().map(SecretString::from).collect())
}

/// RunPod takes a URL as it is written, so a token has none but characters that stand for themselves there.
fn tokens(text: &str) -> Parsed<Vec<[u8; 32]>> {
    const TWICE: &str = "is the same token as another item";
    secret_lists::different(text, TOKENS, TWICE, |item, at| {
        secret_lists::visible(item, at, TOKENS)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !item.bytes().all(plain) {
            return Err(at.fault("contains something other than A-Z a-z 0-9 _ -", TOKENS));
        }
        if item.len() < 32 {
            return Err(at.length(item.len(), TOKENS));
        }
        Ok(Sha256::digest(item).into())
    })
}

//! RunPod's values. Forms of keys and ids: RunPod's documentation and its public clients.

use reqwest::Url;
use secrecy::ExposeSecret;

use super::checks::{Findings, plain, secret};
use super::generation::{Group, Resolved};
use super::raw::RawRunPod;
use super::secret_source::{Given, Source};
use super::types::{Problem, RunPod, RunPodEndpoint, Setup};
use super::values::{self, Fault, Parsed};
use crate::detail::{Detail, Label};

const KEY: &str = "the key alone, as RunPod's console shows it once";
const ENDPOINTS: &str = "the id alone, or a comma-separated list of ids or name=id";
/// Each endpoint is one call an interval.
const MOST_ENDPOINTS: usize = 50;

/// RunPod's ids have 14 characters. Its keys have 40 or more.
const LONGEST_NAME: usize = 39;
/// RunPod's variables that are shown; a malformed one stops nothing but the check.
pub(super) const SHOWN: &[&str] = &["RUNPOD_ENDPOINT_ID", "RUNPOD_BACKLOG_LIMIT"];

/// What RunPod's setup is made of, all but the key fixed.
pub(super) struct RunPodGroup {
    endpoints: Option<String>,
    backlog_limit: Option<String>,
    /// `None` if it is malformed, and the service does not start.
    base_url: Option<Url>,
    /// Of [`SHOWN`] variables, which are not set here then.
    refused: Vec<Problem>,
    sources: [Source; 1],
}

impl RunPodGroup {
    pub(super) fn new(raw: RawRunPod, base_url: Option<Url>, refused: Vec<Problem>) -> Self {
        let key = Source::new(
            "RUNPOD_API_KEY",
            raw.runpod_api_key.as_ref(),
            raw.runpod_api_key_file.as_ref(),
        );
        RunPodGroup {
            endpoints: raw.runpod_endpoint_id,
            backlog_limit: raw.runpod_backlog_limit,
            base_url,
            refused,
            sources: [key],
        }
    }
}

impl Group for RunPodGroup {
    type Value = Setup<RunPod>;

    fn sources(&self) -> &[Source] {
        &self.sources
    }

    fn resolve(&self, given: &[Given]) -> Resolved<Self::Value> {
        let mut findings = Findings::new(self.refused.clone());
        let key = given
            .first()
            .map_or(Ok(None), |key| secret(key, KEY, no_assignment));
        let api_key = findings.required("RUNPOD_API_KEY", key);
        let endpoints = plain("RUNPOD_ENDPOINT_ID", self.endpoints.as_ref(), endpoints);
        let endpoints = findings.required("RUNPOD_ENDPOINT_ID", endpoints);
        let backlog = plain(
            "RUNPOD_BACKLOG_LIMIT",
            self.backlog_limit.as_ref(),
            |text| {
                values::number(
                    text,
                    1..=1_000_000_000_u64,
                    "a whole number from 1 to 1000000000",
                )
            },
        );
        let backlog_limit = findings.optional(backlog);
        let ready = (|| {
            Some(RunPod {
                base_url: self.base_url.clone()?,
                api_key: api_key?,
                endpoints: endpoints?,
                backlog_limit,
            })
        })();
        Resolved::setup(findings.into_setup(ready))
    }
}

fn no_assignment(text: &str) -> Parsed<()> {
    if text.contains('=') {
        Err(Fault::new("contains =", KEY))
    } else {
        Ok(())
    }
}

fn endpoints(text: &str) -> Parsed<Vec<RunPodEndpoint>> {
    if text.split(',').count() > MOST_ENDPOINTS {
        return Err(Fault::new("has too many items", "up to 50 endpoints"));
    }
    let mut seen: Vec<RunPodEndpoint> = Vec::new();
    values::list(text, ENDPOINTS, |item, at| {
        if item.contains('/') {
            return Err(at.fault("is a URL", "the id alone"));
        }
        if item.contains(['"', '\'']) {
            return Err(at.fault("contains quotes", ENDPOINTS));
        }
        let (name, id) = match item.split_once('=') {
            Some((name, id)) => (Some(name.trim()), id.trim()),
            None => (None, item),
        };
        if [Some(id), name].into_iter().flatten().any(is_like_a_key) {
            return Err(at.fault("looks like an API key", "the id alone"));
        }
        let id = word(id).ok_or_else(|| {
            at.fault(
                "has an id that is not 1 to 39 characters of A-Z a-z 0-9 _ -",
                ENDPOINTS,
            )
        })?;
        let name = word(name.unwrap_or(id.as_str())).ok_or_else(|| {
            at.fault(
                "has a name that is not 1 to 39 characters of A-Z a-z 0-9 _ -",
                ENDPOINTS,
            )
        })?;
        if seen.iter().any(|other| other.id == id) {
            return Err(at.fault("has an id that another item has", ENDPOINTS));
        }
        if seen.iter().any(|other| other.name == name) {
            return Err(at.fault("has a name that another item has", ENDPOINTS));
        }
        seen.push(RunPodEndpoint { name, id });
        Ok(())
    })?;
    Ok(seen)
}

/// A key in the place of an id would be shown in answers, logs and metrics.
///
/// RunPod's keys begin with `rpa_` or, made before November 2024, are 40 characters or longer; R2's are
/// 32 or more hex digits.
fn is_like_a_key(text: &str) -> bool {
    let prefixed = text
        .get(..4)
        .is_some_and(|head| head.eq_ignore_ascii_case("rpa_"));
    let hex = text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    prefixed || hex || text.len() > LONGEST_NAME
}

/// `[A-Za-z0-9_-]{1,39}`: the characters that RunPod's own clients accept in an id.
fn word(text: &str) -> Option<Label> {
    let fits = (1..=LONGEST_NAME).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    fits.then(|| Label::new(text.to_owned())).flatten()
}

/// What may be right and is worth a word.
pub(super) fn lints(runpod: &RunPod) -> Vec<Detail> {
    let mut lints = Vec::new();
    if !runpod.api_key.expose_secret().starts_with("rpa_") {
        // Keys made before 2024-11-11 lack it and still work.
        lints.push(Detail::new().text(
            "RUNPOD_API_KEY does not begin with rpa_: it is no RunPod key, or one from before November 2024",
        ));
    }
    lints
}

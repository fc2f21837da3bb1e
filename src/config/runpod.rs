//! RunPod's values. Forms of keys and ids: RunPod's documentation and its public clients.

use reqwest::Url;
use secrecy::ExposeSecret;

use super::checks::{Findings, plain, secret};
use super::generation::{Group, Resolved};
use super::raw::RawRunPod;
use super::secret_source::{Given, Source};
use super::types::{RunPod, RunPodEndpoint, Setup};
use super::values::{self, Fault, Parsed};
use crate::detail::{Detail, Label};

const KEY: &str = "the key alone, as RunPod's console shows it once";
const ENDPOINTS: &str = "the id alone, or a comma-separated list of ids or name=id";
/// Each endpoint is one call an interval.
const MOST_ENDPOINTS: usize = 50;

/// What RunPod's setup is made of, all but the key fixed.
pub(super) struct RunPodGroup {
    endpoints: Option<String>,
    backlog_limit: Option<String>,
    /// `None` if it is malformed, and the service does not start.
    base_url: Option<Url>,
    sources: [Source; 1],
}

impl RunPodGroup {
    pub(super) fn new(raw: RawRunPod, base_url: Option<Url>) -> Self {
        let key = Source::new(
            "RUNPOD_API_KEY",
            raw.runpod_api_key.as_ref(),
            raw.runpod_api_key_file.as_ref(),
        );
        RunPodGroup {
            endpoints: raw.runpod_endpoint_id,
            backlog_limit: raw.runpod_backlog_limit,
            base_url,
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
        let mut findings = Findings::default();
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
        let id = word(id).ok_or_else(|| {
            at.fault(
                "has an id that is not 1 to 64 characters of A-Z a-z 0-9 _ -",
                ENDPOINTS,
            )
        })?;
        let name = word(name.unwrap_or(id.as_str())).ok_or_else(|| {
            at.fault(
                "has a name that is not 1 to 64 characters of A-Z a-z 0-9 _ -",
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

/// `[A-Za-z0-9_-]{1,64}`: what RunPod's own clients accept as an id.
fn word(text: &str) -> Option<Label> {
    let fits = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    fits.then(|| Label::new(text.to_owned())).flatten()
}

/// What may be right and is worth a word.
pub(super) fn lints(setup: &Setup<RunPod>) -> Vec<Detail> {
    let Setup::Ready(runpod) = setup else {
        return Vec::new();
    };
    let mut lints = Vec::new();
    if !runpod.api_key.expose_secret().starts_with("rpa_") {
        // Keys made before 2024-11-11 lack it and still work.
        lints.push(Detail::new().text(
            "RUNPOD_API_KEY does not begin with rpa_: it is no RunPod key, or one from before November 2024",
        ));
    }
    lints
}

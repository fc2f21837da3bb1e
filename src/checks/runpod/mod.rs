//! `runpod_configured`: every configured endpoint answers its health URL and can do its job.
//!
//! `GET {RUNPOD_ENDPOINT_BASE_URL}/{id}/health` is free, starts no job and answers three questions in one
//! call: is the key right, is there such an endpoint, can it take work. [`answer`] reads one answer (the B
//! rows of the decision table), [`verdict`] judges an endpoint by its answers over time (the C rows).

pub mod answer;
pub mod history;
pub mod payload;
pub mod reasons;
mod samples;
pub mod verdict;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, header};
use reqwest::Url;
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use self::answer::Unread;
use self::history::History;
use self::payload::{Jobs, Payload, Workers};
pub use self::samples::ended_jobs;
pub use self::verdict::TIMED;
use super::client::{CheckClient, Client};
use super::setup;
use crate::check::{Check, Context, Finding, Outcome};
use crate::clock::Now;
use crate::config::secret::Current;
use crate::config::{RunPod, RunPodEndpoint, Setup};
use crate::detail::{Detail, Label};
use crate::reason::{MALFORMED_CONFIG, Reason};

/// Asks every configured endpoint at once and remembers 15 minutes of each one's answers.
#[derive(Debug)]
pub struct RunPodCheck {
    settings: Current<Setup<RunPod>>,
    client: CheckClient,
    /// By endpoint id, so that a rotated key or a new list costs no other endpoint its history.
    histories: BTreeMap<Label, History>,
}

/// What the check tells besides the verdict.
#[derive(Debug, Serialize, ToSchema)]
#[schema(examples(json!({"endpoints": [{
    "name": "main",
    "id": "abc123def456gh",
    "reasons": [],
    "notes": ["ready"],
    "workers": {"idle": 1, "initializing": 0, "ready": 1, "running": 2, "throttled": 0, "unhealthy": 0},
    "jobs": {"in_queue": 0, "in_progress": 2, "completed": 4711, "failed": 3, "retried": 1},
    "latency_ms": 112,
}]})))]
pub struct RunPodData {
    /// In the order of `RUNPOD_ENDPOINT_ID`.
    pub endpoints: Vec<EndpointData>,
}

/// One endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunPodEndpointData)]
pub struct EndpointData {
    /// The configured name, or the id.
    pub name: Label,
    /// RunPod's id.
    pub id: Label,
    /// Codes of its findings; empty when it is fit.
    pub reasons: Vec<&'static str>,
    /// What is worth knowing of a fit endpoint: `ready`, `cold_start`, `scaled_to_zero`,
    /// `idle_throttled_record`, and `max_workers_not_verified` when no worker is up: the health URL does
    /// not tell whether the provider has set max workers to 0.
    pub notes: Vec<&'static str>,
    /// Absent when this run brought no readable answer.
    #[schema(required)]
    pub workers: Option<Workers>,
    /// The same.
    #[schema(required)]
    pub jobs: Option<Jobs>,
    /// From the call to the end of the answer, or to the failure.
    pub latency_ms: u64,
}

impl RunPodCheck {
    /// Nothing is called before the first run.
    pub fn new(settings: Current<Setup<RunPod>>, client: &Client) -> Self {
        RunPodCheck {
            settings,
            client: client.of(Self::NAME),
            histories: BTreeMap::new(),
        }
    }

    /// Remembers what one endpoint answered and judges it. Returns its findings and data.
    fn judge(
        &mut self,
        endpoint: &RunPodEndpoint,
        asked: Asked,
        backlog_limit: Option<u64>,
    ) -> (Vec<Finding>, EndpointData) {
        let history = self.histories.entry(endpoint.id.clone()).or_default();
        let (findings, notes, payload) = match asked.result {
            Ok(payload) => {
                history.answered(asked.ended.mono, &payload);
                (
                    verdict::judge(history, backlog_limit),
                    verdict::notes(history),
                    Some(payload),
                )
            }
            Err(unread) => {
                history.unanswered();
                (vec![unread.finding], Vec::new(), None)
            }
        };
        let data = EndpointData {
            name: endpoint.name.clone(),
            id: endpoint.id.clone(),
            reasons: findings.iter().map(|finding| finding.reason.code).collect(),
            notes,
            workers: payload.map(|payload| payload.workers),
            jobs: payload.map(|payload| payload.jobs),
            latency_ms: u64::try_from(asked.latency.as_millis()).unwrap_or(u64::MAX),
        };
        let about = |finding: Finding| finding.about(endpoint.name.clone());
        (findings.into_iter().map(about).collect(), data)
    }
}

impl Check for RunPodCheck {
    const NAME: &'static str = "runpod_configured";
    const REASONS: &'static [&'static Reason] = reasons::ALL;
    const TIMED: &'static [(&'static Reason, Duration)] = TIMED;
    type Data = RunPodData;

    async fn run(&mut self, cx: &Context) -> Outcome<RunPodData> {
        let setup = self.settings.get();
        let settings = match setup::ready(&setup) {
            Ok(settings) => settings,
            Err(finding) => return Outcome::of(finding),
        };
        let Some(headers) = headers(settings) else {
            let detail = Detail::new().text("RUNPOD_API_KEY cannot be sent in a header");
            return Outcome::of(Finding::new(&MALFORMED_CONFIG).detail(detail));
        };
        self.histories
            .retain(|id, _| settings.endpoints.iter().any(|endpoint| endpoint.id == *id));

        let calls = settings.endpoints.iter().map(|endpoint| {
            ask(
                &self.client,
                health_url(&settings.base_url, &endpoint.id),
                headers.clone(),
                cx,
            )
        });
        // The only await: a run that is dropped in time leaves every history as it was.
        let asked = join_all(calls).await;

        let retry_after = asked
            .iter()
            .filter_map(|asked| asked.result.as_ref().err()?.retry_after)
            .max();
        let mut findings = Vec::new();
        let mut endpoints = Vec::new();
        for (endpoint, asked) in settings.endpoints.iter().zip(asked) {
            let (of_endpoint, data) = self.judge(endpoint, asked, settings.backlog_limit);
            findings.extend(of_endpoint);
            endpoints.push(data);
        }
        Outcome {
            findings,
            data: Some(RunPodData { endpoints }),
            retry_after,
        }
    }
}

/// One call and how it ended.
struct Asked {
    ended: Now,
    latency: Duration,
    result: Result<Payload, Unread>,
}

/// Calls one endpoint; each has the whole timeout, so that a hung one costs no other its result.
async fn ask(client: &CheckClient, url: Url, headers: HeaderMap, cx: &Context) -> Asked {
    let began = cx.clock.now();
    let answer = client.get("endpoint_health", url, headers, cx.timeout);
    let answer = answer.await;
    let ended = cx.clock.now();
    let result = match answer {
        Ok(answer) => answer::read(&answer, ended.wall),
        Err(failure) => Err(Unread::from(failure.finding())),
    };
    Asked {
        ended,
        latency: ended.mono - began.mono,
        result,
    }
}

/// `{base}/{id}/health`.
fn health_url(base: &Url, id: &Label) -> Url {
    let mut url = base.clone();
    // An upstream's URL always has a path: the configuration takes `http` and `https` only.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(id.as_str()).push("health");
    }
    url
}

fn headers(settings: &RunPod) -> Option<HeaderMap> {
    let bearer = format!("Bearer {}", settings.api_key.expose_secret());
    let mut bearer = HeaderValue::try_from(bearer).ok()?;
    bearer.set_sensitive(true);
    let accept = HeaderValue::from_static("application/json");
    Some(HeaderMap::from_iter([
        (header::AUTHORIZATION, bearer),
        (header::ACCEPT, accept),
    ]))
}

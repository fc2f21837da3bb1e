//! `api`: this process answers in time and can open connections; and, if `API_HEALTH_URL` is set, the
//! main API says that it is healthy.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::client::{CheckClient, Client};
use crate::check::{Check, Context, Finding, Outcome, Report};
use crate::detail::Detail;
use crate::reason::{MONITOR_STALLED, Reason, reasons};
use crate::vitals::Vitals;

/// Sent with every call of `API_HEALTH_URL`. An instance of this service answers such a call 200 whatever
/// `HEALTH_DEGRADED_STATUS` says, so that instances that watch each other cannot latch.
pub const PROBE_HEADER: HeaderName = HeaderName::from_static("x-infra-health-probe");

reasons! {
    /// The HTTP runtime lags: judged over 3 samples, so it decides at once.
    EVENT_LOOP_STALLED = "event_loop_stalled", Down,
        "requests to this service wait: its event loop is over 1 s late, three times in a row",
        "give the container more CPU and look for throttling; if the CPU is idle, report it with the log: something blocks the loop";
    /// Few descriptors left: one count that may be a short peak, so the thresholds damp it. `/readyz`
    /// does not wait for them.
    DESCRIPTORS_EXHAUSTED = "descriptors_exhausted", Transient,
        "this process has hardly any file descriptors left",
        "raise the descriptor limit (ulimit -n) or lower MAX_CONNECTIONS, and look for a client that opens connections without closing them";
    /// No answer from `API_HEALTH_URL`.
    API_UNREACHABLE = "api_unreachable", Transient,
        "the main API's health URL does not answer",
        "call API_HEALTH_URL with curl from this machine; then check the API's deployment, its DNS name and the network between";
    /// Not 2xx from `API_HEALTH_URL`; a redirect too, which is not followed.
    API_UNHEALTHY = "api_unhealthy", Transient,
        "the main API says that it is not healthy",
        "read what API_HEALTH_URL answers and the main API's log; for a 3xx set API_HEALTH_URL to the final URL";
}

/// Looks at this process and, if told to, at the main API.
#[derive(Debug)]
pub struct ApiCheck {
    vitals: Arc<Vitals>,
    url: Option<Url>,
    client: CheckClient,
}

/// What the check tells besides the verdict.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiData, examples(json!({
    "late_samples": 0,
    "descriptors": {"open": 23, "limit": 65536},
    "health_url": null,
})))]
pub struct ApiData {
    /// Samples of the event loop's lag in a row that are over 1 s late; `null` before the first sample.
    #[schema(required)]
    pub late_samples: Option<u64>,
    /// `null` where the system does not tell.
    #[schema(required)]
    pub descriptors: Option<DescriptorData>,
    /// `null` unless `API_HEALTH_URL` is set.
    #[schema(required)]
    pub health_url: Option<HealthUrlData>,
}

/// What it counts of this process is told as `process_*` at every scrape.
impl Report for ApiData {}

/// File descriptors of this process.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiDescriptors)]
pub struct DescriptorData {
    /// In use.
    pub open: u32,
    /// The soft limit.
    pub limit: u32,
}

/// The call of `API_HEALTH_URL`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiHealthUrl)]
pub struct HealthUrlData {
    /// `null` when there was no answer.
    #[schema(required)]
    pub status: Option<u16>,
    /// From the call to the end of the answer, or to the failure.
    pub latency_ms: u64,
}

impl ApiCheck {
    /// `vitals` are judged once they have been sampled; where nobody samples them, as in `doctor`, the
    /// check is about `url` alone.
    pub fn new(vitals: Arc<Vitals>, url: Option<Url>, client: &Client) -> Self {
        ApiCheck {
            vitals,
            url,
            client: client.of(Self::NAME),
        }
    }

    /// What this process knows of itself at `now`.
    fn own_findings(&self, now: Instant) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(lag) = self.vitals.lag(now).filter(|lag| lag.is_stalled()) {
            let detail = Detail::new()
                .number(lag.late)
                .text(" late samples in a row");
            findings.push(Finding::new(&EVENT_LOOP_STALLED).detail(detail));
        }
        if let Some(descriptors) = self
            .vitals
            .descriptors()
            .filter(|some| some.are_exhausted())
        {
            let left = Detail::new().number(descriptors.left()).text(" left of ");
            let detail = left.number(descriptors.limit);
            findings.push(Finding::new(&DESCRIPTORS_EXHAUSTED).detail(detail));
        }
        findings
    }
}

impl Check for ApiCheck {
    const NAME: &'static str = "api";
    const REASONS: &'static [&'static Reason] = &[
        &EVENT_LOOP_STALLED,
        &MONITOR_STALLED,
        &DESCRIPTORS_EXHAUSTED,
        &API_UNREACHABLE,
        &API_UNHEALTHY,
    ];
    const ABOUT_THIS_PROCESS: bool = true;
    type Data = ApiData;

    async fn run(&mut self, cx: &Context) -> Outcome<ApiData> {
        let mut asked = Outcome::pass();
        if let Some(url) = &self.url {
            asked = ask(&self.client, url.clone(), cx).await;
        }
        let now = cx.clock.now().mono;
        let mut findings = self.own_findings(now);
        findings.extend(asked.findings);
        let data = ApiData {
            late_samples: self.vitals.lag(now).map(|lag| lag.late),
            descriptors: self.vitals.descriptors().map(|some| DescriptorData {
                open: some.open,
                limit: some.limit,
            }),
            health_url: asked.data,
        };
        Outcome {
            findings,
            data: Some(data),
            retry_after: asked.retry_after,
        }
    }
}

/// Calls the main API's health URL. Its body is ignored, and so is one that is endless or cut short.
async fn ask(client: &CheckClient, url: Url, cx: &Context) -> Outcome<HealthUrlData> {
    let began = cx.clock.now();
    let headers = HeaderMap::from_iter([(PROBE_HEADER, HeaderValue::from_static("1"))]);
    let answer = client.get("health_url", url, headers, cx.timeout).await;
    let ended = cx.clock.now();
    let latency = ended.mono - began.mono;
    let data = HealthUrlData {
        status: answer.as_ref().ok().map(|answer| answer.status.as_u16()),
        latency_ms: u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
    };
    let outcome = match answer {
        Err(failure) => {
            let why = failure.finding();
            let mut detail = Detail::new().text(why.reason.message);
            if !why.detail.is_empty() {
                detail = detail.text(": ").then(&why.detail);
            }
            Outcome::of(Finding::new(&API_UNREACHABLE).detail(detail))
        }
        Ok(answer) if answer.status.is_success() => Outcome::pass(),
        Ok(answer) => match answer.common(ended.wall) {
            // 429 says nothing about the API's health: the last verdict stands and ages.
            Some((finding, retry_after)) if !finding.class().is_failure() => Outcome {
                retry_after,
                ..Outcome::of(finding)
            },
            _ => Outcome::of(answer.http(&API_UNHEALTHY)),
        },
    };
    outcome.with_data(data)
}

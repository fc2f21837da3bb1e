//! What each endpoint is for, in words; who may ask; where its answers lead. A new row of the table does not
//! compile until it is told here.

use serde_json::Value;
use utoipa::openapi::link::{Link, LinkBuilder};
use utoipa::openapi::security::SecurityRequirement;

use super::{API_KEY, BEARER, SIGNATURE};
use crate::http::endpoints::{Credentials, Route};

/// Words about an endpoint.
pub(super) struct Words {
    /// In `camelCase`, begins with a verb.
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
}

pub(super) fn words(route: Route) -> Words {
    let (id, tag, summary, description) = match route {
        Route::Health => (
            "getHealth",
            "health",
            "The folded state of every check",
            "Constant time; never touches an upstream. Degraded is 200 unless HEALTH_DEGRADED_STATUS is 503, \
             so that a shared upstream's outage does not take every replica out of a load balancer. With \
             `Accept: application/health+json` the same in the form of draft-inadarei-api-health-check-06.",
        ),
        Route::Check => (
            "getCheck",
            "health",
            "One check",
            "200 when it is true, 503 `check_failed` when it is false, for monitors that know statuses only.",
        ),
        Route::Refresh => (
            "refreshHealth",
            "health",
            "Ask every check now",
            "One call an upstream per CHECK_RETRY_INTERVAL at most; who comes meanwhile joins or is told what \
             is known. Waits for the longest CHECK_TIMEOUT and 1 s at most. A body is neither needed nor \
             looked at; it may have 16 KiB and has to come within 5 s.",
        ),
        Route::Livez => (
            "getLivez",
            "probes",
            "This process and its monitor run",
            "For liveness and startup probes: it fails only if a restart helps, and looks at no upstream. Served on \
             PROBE_ADDR, too.",
        ),
        Route::Readyz => (
            "getReadyz",
            "probes",
            "This replica should get traffic",
            "For readiness probes and load balancers. Served on PROBE_ADDR, too.",
        ),
        Route::OpenApi => (
            "getOpenApi",
            "about",
            "This document",
            "`info.version` is the contract's version, not the build's.",
        ),
        Route::Page => (
            "getStatusPage",
            "about",
            "The status page",
            "For who names `text/html` in `Accept`, always 200, and whatever the query; for everybody else the JSON \
             of `/health`. The page is served without a key even with HEALTH_REQUIRE_API_KEY, and then shows where to enter one.",
        ),
        Route::Metrics => (
            "getMetrics",
            "about",
            "What this service counts, for Prometheus",
            "200 whatever the checks say. Served on METRICS_ADDR, too, and needs no key there.",
        ),
        Route::JobWebhook => (
            "receiveJobEvent",
            "jobs",
            "The video API tells of a job",
            "404 unless JOB_WEBHOOK_SECRET is set. What is answered 2xx is kept. A delivery is a duplicate when its id, \
             or what was signed, was received before; it then changes nothing. The event is the body's; \
             the header names it for bodies that do not. Send what is answered 408, 429 or 5xx again.",
        ),
        Route::RunPodWebhook => (
            "receiveRunPodJob",
            "jobs",
            "RunPod tells of a job",
            "404 unless RUNPOD_WEBHOOK_TOKEN is set; to be named as `webhook` of a RunPod job. RunPod signs nothing, so the \
             token is the credential. Of the body id, status, times and error are kept.",
        ),
        Route::Job => (
            "getJob",
            "jobs",
            "One job and all that was told of it",
            "404 `not_found` unless a webhook is configured.",
        ),
        Route::Jobs => (
            "getJobs",
            "jobs",
            "Jobs, the newest change first",
            "404 `not_found` unless a webhook is configured. `next_cursor` leads to the next page.",
        ),
        Route::Signals => (
            "getSignals",
            "jobs",
            "The signals of the jobs",
            "Failure rate and latency against their thresholds, as they were last judged.",
        ),
    };
    Words {
        id,
        tag,
        summary,
        description,
    }
}

pub(super) fn security(credentials: Credentials) -> Vec<SecurityRequirement> {
    let key = || SecurityRequirement::new(API_KEY, [] as [&str; 0]);
    match credentials {
        // OpenAPI has no scheme for a token in a path.
        Credentials::Ignored | Credentials::Token => Vec::new(),
        Credentials::Signature => vec![SecurityRequirement::new(SIGNATURE, [] as [&str; 0])],
        Credentials::Optional => vec![SecurityRequirement::default(), key()],
        Credentials::Key => vec![key()],
        Credentials::Scraper => {
            let bearer = SecurityRequirement::new(BEARER, [] as [&str; 0]);
            vec![SecurityRequirement::default(), key(), bearer]
        }
    }
}

/// Where an answer leads.
pub(super) fn links(route: Route) -> Vec<(&'static str, Link)> {
    match route {
        Route::Refresh => {
            let link = LinkBuilder::new()
                .operation_id(words(Route::Check).id)
                .parameter("check", Value::from("$response.body#/fresh/0"))
                .description("One of the checks whose results are fresh.");
            vec![("freshCheck", link.build())]
        }
        Route::Jobs => {
            let link = LinkBuilder::new()
                .operation_id(words(Route::Job).id)
                .parameter("job_id", Value::from("$response.body#/jobs/0/job_id"))
                .description("One of the jobs.");
            vec![("job", link.build())]
        }
        Route::Health
        | Route::Page
        | Route::Check
        | Route::Livez
        | Route::Readyz
        | Route::OpenApi
        | Route::Metrics
        | Route::JobWebhook
        | Route::RunPodWebhook
        | Route::Job
        | Route::Signals => Vec::new(),
    }
}

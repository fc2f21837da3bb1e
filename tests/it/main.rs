//! Behaviour seen from outside, one module a subject; one binary, linked once.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a panic in a test's helper is the report"
)]
#![expect(
    unreachable_pub,
    reason = "support code is included by the sandbox example, too"
)]

mod adding_a_check;
mod api;
mod binary;
mod canary;
mod client;
mod docs;
mod docs_alerts;
mod docs_variables;
mod health_json;
mod hostile_upstreams;
mod http_errors;
mod http_health;
#[cfg(feature = "jobs")]
mod http_jobs;
mod http_log;
mod http_probes;
#[cfg(feature = "jobs")]
mod jobs_room;
#[cfg(feature = "jobs")]
mod jobs_store;
mod kept_connections;
mod layering;
mod metrics;
mod metrics_checks;
mod metrics_http;
mod monitor;
mod openapi;
mod page;
mod r2;
mod runpod;
mod sandbox;
mod sandbox_day;
#[cfg(feature = "jobs")]
mod sandbox_plays;
mod serve_descriptors;
mod serve_drain;
mod serve_heads;
mod serve_limits;
mod service;
mod service_bounds;
mod service_process;
mod service_rotation;
mod support;
#[cfg(target_os = "linux")]
mod systemd;

//! infra-health: tells whether a video background-removal API can do its job.

pub mod answers;
pub mod app;
pub mod calls;
pub mod check;
pub mod checks;
pub mod cli;
pub mod clock;
pub mod config;
pub mod detail;
pub mod histogram;
pub mod history;
pub mod http;
pub mod metrics;
pub mod monitor;
pub mod panics;
pub mod peer;
pub mod reason;
pub mod registry;
pub mod sample;
pub mod serve;
pub mod snapshot;
pub mod state;
pub mod supervise;
pub mod telemetry;
pub mod vitals;

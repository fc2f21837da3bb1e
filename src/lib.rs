//! infra-health: tells whether a video background-removal API can do its job.

pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod detail;
pub mod reason;
pub mod serve;
pub mod telemetry;

//! The two signals of the jobs: failure rate, and p95 of the processing latency by model.

pub mod board;
pub mod told;
pub mod window;

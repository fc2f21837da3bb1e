//! What micro-benchmarks and allocation counts are made of: checks that ask stand-ins over loopback, the states and the
//! snapshot that come of it, and the answering side.
//!
//! Reaches the service through what it makes public, and through as little of that as will do.

pub mod answering;
pub mod asking;
pub mod job_history;
pub mod upstream;

/// Whatever goes wrong in a benchmark ends it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// An operator key of the service.
pub const KEY: &str = "an-operator-key-for-benchmarks";

//! What the benchmarks share: the service as a process, stand-ins for its upstreams, a client, quantiles.

pub mod client;
pub mod numbers;
pub mod process;
pub mod upstreams;

/// The raw-socket upstream of the integration tests.
#[path = "../../tests/it/support/fixture.rs"]
pub mod fixture;

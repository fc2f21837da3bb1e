//! What the benchmarks share, in the order in which they use it: what is built and started, on which core,
//! what asks it, and the numbers.

pub mod arguments;
pub mod client;
pub mod cores;
pub mod load;
pub mod numbers;
pub mod optional;
pub mod process;
pub mod servers;
pub mod upstreams;

/// The raw-socket upstream of the integration tests.
#[path = "../../tests/it/support/fixture.rs"]
pub mod fixture;

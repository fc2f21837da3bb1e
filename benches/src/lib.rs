//! What the benchmarks share, in the order in which they use it: what is built and started, on which core,
//! what asks it, and the numbers.

pub mod arguments;
pub mod client;
pub mod cores;
pub mod deliveries;
pub mod goals;
pub mod layers;
pub mod load;
pub mod numbers;
pub mod optional;
pub mod process;
pub mod requests;
pub mod servers;
pub mod upstreams;
pub mod wrk;

/// The raw-socket upstream of the integration tests.
#[path = "../../tests/it/support/fixture.rs"]
pub mod fixture;

/// TLS in front of it, of the integration tests too.
#[path = "../../tests/it/support/terminator.rs"]
pub mod terminator;

//! The HTTP side of the service; the only module that knows axum. From a parsed request to a response.
//!
//! A request's way: [`front`] reads the headers once, finds the endpoint in the table of [`endpoints`], asks
//! [`auth`] and [`rate_limit`], answers plain probes at once and hands the rest to `router`; both call the
//! same functions in `health` and `probes`. Webhooks and jobs are the business of `jobs`. What comes back is a [`error::Reply`]; the front alone turns it
//! into a response, because it alone knows the request id.

mod accept;
mod access;
pub mod auth;
pub mod client_addr;
pub mod code;
mod doors;
pub mod endpoints;
pub mod error;
pub mod front;
mod headers;
mod health;
#[cfg(feature = "jobs")]
mod jobs;
mod method;
mod metrics;
pub mod openapi;
mod page;
mod probes;
mod query;
pub mod rate_limit;
pub mod request_id;
mod router;
mod seen;
mod shared;
mod traffic;
mod wait;

pub use front::Front;
pub use query::LONGEST_WAIT;
pub use shared::{Facts, Setup, options, refresh_patience};

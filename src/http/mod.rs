//! The HTTP side of the service; the only module that knows axum.

pub mod auth;
pub mod client_addr;
pub mod rate_limit;

//! What several tests use: stand-ins for upstreams, raw sockets, a served handler, the whole service in
//! process and as a process.

pub(crate) mod app;
pub(crate) mod binary;
pub(crate) mod caller;
pub(crate) mod canary;
pub(crate) mod contract;
pub(crate) mod exposition;
pub mod fixture;
pub(crate) mod folder;
#[cfg(feature = "jobs")]
pub(crate) mod postgres;
pub(crate) mod raw;
pub mod s3;
pub(crate) mod served;
pub(crate) mod service;
pub(crate) mod terminator;
pub(crate) mod tls;
pub(crate) mod upstreams;

//! What several tests use: stand-ins for upstreams, raw sockets, a served handler.

pub mod fixture;
pub(crate) mod raw;
pub mod s3;
pub(crate) mod served;
pub(crate) mod service;

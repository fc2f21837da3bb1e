//! Stand-ins for upstreams.

pub mod fixture;
pub mod s3;

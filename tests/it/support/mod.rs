//! Stand-ins for upstreams.

pub mod fixture;

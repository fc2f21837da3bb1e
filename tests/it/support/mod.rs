//! What several tests use.

pub(crate) mod raw;
pub(crate) mod served;

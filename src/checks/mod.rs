//! The checks, and what they share for asking an upstream.

pub mod client;

pub mod r2;
pub mod setup;

//! The checks.

pub mod runpod;

//! The checks, and what they share for asking an upstream.

pub mod client;

pub mod api;

pub mod runpod;

pub mod setup;

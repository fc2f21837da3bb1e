//! The commands, one file each.

pub mod config;
mod cost;
pub mod probe;

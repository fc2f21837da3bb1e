//! The commands besides `serve`, one file each.

pub mod probe;

//! Configuration: what the environment says, resolved in two stages.
//!
//! `raw` is exactly what envy reads: optional strings. [`Config`] is what the program needs: everything
//! in it is valid. Between them every problem is collected, not only the first.

pub mod secret;
pub mod types;

pub use types::*;

//! What is kept of jobs, on SQLite or Postgres.

pub mod error;
pub mod types;

pub use error::{Kind, StoreError};
pub use types::{Kept, Limits, Pruned, Record, Stored, Trail, Wanted};

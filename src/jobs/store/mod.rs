//! What is kept of jobs, on SQLite or Postgres.
//!
//! ```text
//! events   every delivery once, by its id and by its digest        bodies   what came, as it came
//! jobs     what lifecycle::Job::apply made of them                 signals  states from one evaluation to the next
//! ```
//!
//! One write at a time: SQLite has one connection that writes, replicas on one Postgres share a lock. So nothing that is
//! read within a write can change before its end, and `decide` stays a pure function between reading and writing.

mod columns;
mod decide;
pub mod error;
mod fault;
mod open;
mod postgres;
mod prune;
mod read;
mod sql;
mod sqlite;
pub mod types;

use std::future::Future;
use std::time::Duration;

pub use error::{Kind, StoreError};
pub use types::{Kept, Limits, Pruned, Record, Stored, Trail, Wanted};

use crate::jobs::event::Delivery;

/// No question waits longer than this, whatever the disk or the network does; locks and statements have shorter bounds
/// of their own and tell more.
const PATIENCE: Duration = Duration::from_secs(8);

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Backend,
}

#[derive(Clone, Debug)]
enum Backend {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Store {
    /// Keeps `batch`, all of it or nothing, in one transaction that is durable when this returns. The results stand in
    /// the order of the batch; a delivery is a duplicate of an earlier one in the batch as well.
    ///
    /// After an error nothing was kept, but for `Unreachable` and `Timeout`: then it cannot be known. Writing the same
    /// batch again is right in any case.
    pub async fn write(&self, batch: &[Delivery]) -> Result<Vec<Stored>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.bounded(async {
            match &self.backend {
                Backend::Sqlite(sqlite) => sqlite.write(batch).await,
                Backend::Postgres(postgres) => postgres.write(batch).await,
            }
        })
        .await
    }

    /// Replaces what is kept of these signals. One that was judged later by another replica stays. What is not among
    /// them and was last judged a day before the newest of them is removed.
    pub async fn keep(&self, kept: &[Kept]) -> Result<(), StoreError> {
        let Some(newest) = kept.iter().map(|kept| kept.evaluated_at).max() else {
            return Ok(());
        };
        let forgotten = newest.saturating_sub(FORGOTTEN_AFTER_MS);
        self.bounded(async {
            match &self.backend {
                Backend::Sqlite(sqlite) => sqlite.keep(kept, forgotten).await,
                Backend::Postgres(postgres) => postgres.keep(kept, forgotten).await,
            }
        })
        .await
    }

    /// Ends all connections; waits for what runs.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Postgres(postgres) => postgres.close().await,
        }
    }

    async fn bounded<T>(
        &self,
        asked: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(sqlx::Error::PoolTimedOut)) if self.lacks_connections() => {
                Err(StoreError::of(Kind::Unreachable))
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(StoreError::of(Kind::Timeout)),
        }
    }

    /// Whether a wait for a connection was in vain because none could be made, not because all are in use.
    fn lacks_connections(&self) -> bool {
        match &self.backend {
            Backend::Sqlite(_) => false,
            Backend::Postgres(postgres) => postgres.lacks_connections(),
        }
    }
}

/// A day without an evaluation: the model of that signal is gone.
const FORGOTTEN_AFTER_MS: i64 = 86_400_000;

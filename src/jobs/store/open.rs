//! Opening a store: connecting, and bringing its tables to this version.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::config::Database;

use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::{Backend, Store, StoreError};

impl Store {
    /// Connects, and migrates under a lock, so that any number of replicas may do so at once. A database of a newer
    /// version is [`super::Kind::Schema`]. To be bounded in time by the caller: a migration may take as long as it needs.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let backend = match database {
            Database::Sqlite(path) => Backend::Sqlite(Sqlite::open(path).await?),
            Database::Postgres(url) => Backend::Postgres(Postgres::open(url).await?),
        };
        Ok(Store { backend })
    }
}

/// Runs `texts` in their order, numbered from 1. What was released is never changed: its checksum is kept.
pub(super) fn migrator(texts: &[(&'static str, &'static str)]) -> Migrator {
    let migrations = texts.iter().zip(1..).map(|((name, text), number)| {
        Migration::new(
            number,
            (*name).into(),
            MigrationType::Simple,
            (*text).into_sql_str(),
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

//! The store in a file.

mod prune;
#[cfg(test)]
mod tests;
mod write;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use super::open::migrator;
use super::{Kind, StoreError};

const MIGRATIONS: &[(&str, &str)] = &[("jobs", include_str!("../migrations/sqlite/0001_jobs.sql"))];

/// How long SQLite waits for another process's lock, and a question for a connection.
const BUSY: Duration = Duration::from_secs(2);
const READERS: u32 = 3;
/// Takes the lock at once: a transaction that first reads cannot always get it later.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// A file: one connection that writes, a few that read.
#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        let file = path.to_owned();
        let made = tokio::task::spawn_blocking(move || make(&file)).await;
        made.map_err(|_| StoreError::of(Kind::Other))??;
        prepare(path).await?;
        let writer = pool(1).connect_lazy_with(options(path));
        let readers = pool(READERS).connect_lazy_with(options(path).pragma("query_only", "ON"));
        let store = Sqlite { writer, readers };
        // A connection from the start: while it is there, nobody else who closes the file takes the log away.
        store.writer.acquire().await?;
        Ok(store)
    }

    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// The one connection that writes.
    async fn writer(&self) -> Result<PoolConnection<sqlx::Sqlite>, sqlx::Error> {
        self.writer.acquire().await
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Makes an empty file that only its owner may read, if there is none: SQLite alone would let the group read it. Its log
/// gets the same mode.
fn make(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok(())
        }
        made => made.map(drop),
    }
}

/// Sets what is kept in the file, and migrates.
async fn prepare(path: &Path) -> Result<(), StoreError> {
    let options = options(path)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal);
    let mut connection = patiently(|| options.connect()).await?;
    let migrated = migrate(&mut connection).await;
    let closed = connection.close().await;
    migrated?;
    Ok(closed?)
}

/// All of it or nothing, and one process at a time.
async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut all = connection.begin_with(BEGIN).await?;
    migrator(MIGRATIONS)
        .run_direct(None, &mut *all, false)
        .await?;
    Ok(all.commit().await?)
}

/// The change to the log's mode does not wait for a lock by itself; two processes may open a new file at once.
async fn patiently(
    connect: impl AsyncFn() -> Result<SqliteConnection, sqlx::Error>,
) -> Result<SqliteConnection, StoreError> {
    let end = tokio::time::Instant::now() + BUSY;
    loop {
        match connect().await.map_err(StoreError::from) {
            Err(error) if error.kind == Kind::Locked && tokio::time::Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            connected => return connected,
        }
    }
}

/// Of every connection.
fn options(path: &Path) -> SqliteConnectOptions {
    // An absolute path, or one with a folder in front: `file:` and `:memory:` mean something else to SQLite.
    let path = if path.is_absolute() {
        path.to_owned()
    } else {
        PathBuf::from(".").join(path)
    };
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(false)
        .busy_timeout(BUSY)
        // With NORMAL a loss of power can take what was acknowledged.
        .synchronous(SqliteSynchronous::Full)
        // A schema that somebody tampered with calls no functions.
        .pragma("trusted_schema", "OFF")
        // After a large transaction the log shrinks again.
        .pragma("journal_size_limit", "16777216")
        .thread_name(|number| format!("jobs-sqlite-{number}"))
        // Its lines hold statements.
        .disable_statement_logging()
}

/// Connections stay: each holds prepared statements.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(BUSY + Duration::from_secs(1))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

//! A database of a test's own, empty at first.

use std::path::PathBuf;

use infra_health::config::Database;
use infra_health::jobs::store::{Store, StoreError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, SqliteConnection};
use tempfile::TempDir;

use crate::support::folder::in_memory;
use crate::support::postgres;

pub(crate) struct Place {
    database: Database,
    url: Option<String>,
    /// Of SQLite, the folder of the file; it goes with the test.
    folder: Option<TempDir>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = in_memory();
        Place {
            database: Database::Sqlite(folder.path().join("jobs.db")),
            url: None,
            folder: Some(folder),
        }
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let url = postgres::shared()?.database().await;
        Some(Place {
            database: Database::Postgres(url.clone().into()),
            url: Some(url),
            folder: None,
        })
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.url.is_some()
    }

    /// The file of SQLite.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join("jobs.db")
    }

    pub(crate) async fn open(&self) -> Store {
        self.try_open().await.unwrap()
    }

    pub(crate) async fn try_open(&self) -> Result<Store, StoreError> {
        Store::open(&self.database).await
    }

    /// Runs a statement on a connection of its own, as an operator would.
    pub(crate) async fn run(&self, statement: &str) {
        let statement = AssertSqlSafe(statement.to_owned());
        if let Some(url) = &self.url {
            let mut connection = postgres::connect(url).await;
            connection.execute(statement).await.unwrap();
        } else {
            let mut connection = self.sqlite_connection().await;
            connection.execute(statement).await.unwrap();
        }
    }

    /// The one number that `question` answers.
    pub(crate) async fn number(&self, question: &str) -> i64 {
        let question = AssertSqlSafe(question.to_owned());
        if let Some(url) = &self.url {
            let mut connection = postgres::connect(url).await;
            let number = sqlx::query_scalar(question);
            number.fetch_one(&mut connection).await.unwrap()
        } else {
            let mut connection = self.sqlite_connection().await;
            let number = sqlx::query_scalar(question);
            number.fetch_one(&mut connection).await.unwrap()
        }
    }

    /// Beside those of the store.
    pub(crate) async fn sqlite_connection(&self) -> SqliteConnection {
        let file = SqliteConnectOptions::new().filename(self.file());
        file.create_if_missing(true).connect().await.unwrap()
    }
}

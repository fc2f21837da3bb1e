//! A database of a test's own, empty at first.

use infra_health::config::Database;
use infra_health::jobs::store::Store;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tempfile::TempDir;

use crate::support::postgres;

pub(crate) struct Place {
    database: Database,
    url: Option<String>,
    /// Of SQLite, the folder of the file; it goes with the test.
    folder: Option<TempDir>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
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
    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.folder.as_ref().unwrap().path().join("jobs.db")
    }

    pub(crate) async fn open(&self) -> Store {
        self.try_open().await.unwrap()
    }

    pub(crate) async fn try_open(&self) -> Result<Store, infra_health::jobs::store::StoreError> {
        Store::open(&self.database).await
    }

    /// Runs a statement on a connection of its own, as an operator would.
    pub(crate) async fn run(&self, statement: &str) {
        let statement = AssertSqlSafe(statement.to_owned());
        match &self.url {
            Some(url) => {
                let mut connection = postgres::connect(url).await;
                connection.execute(statement).await.unwrap();
            }
            None => {
                let file = SqliteConnectOptions::new().filename(self.file());
                let file = file.create_if_missing(true);
                let mut connection = file.connect().await.unwrap();
                connection.execute(statement).await.unwrap();
            }
        }
    }

    /// The one number that `question` answers.
    pub(crate) async fn number(&self, question: &str) -> i64 {
        let question = AssertSqlSafe(question.to_owned());
        match &self.url {
            Some(url) => {
                let mut connection = postgres::connect(url).await;
                let number = sqlx::query_scalar(question);
                number.fetch_one(&mut connection).await.unwrap()
            }
            None => {
                let file = SqliteConnectOptions::new().filename(self.file());
                let mut connection = file.connect().await.unwrap();
                let number = sqlx::query_scalar(question);
                number.fetch_one(&mut connection).await.unwrap()
            }
        }
    }
}

use bytes::Bytes;
use sqlx::{AssertSqlSafe, Row};
use tokio::sync::Notify;

use super::super::{Backend, Kind, Store, sql};
use super::*;
use crate::config::Database;
use crate::jobs::event::{Delivery, Facts, Source, Status, Told};

async fn store(folder: &tempfile::TempDir) -> (Store, Sqlite) {
    let database = Database::Sqlite(folder.path().join("jobs.db"));
    let store = Store::open(&database).await.unwrap();
    let Backend::Sqlite(sqlite) = store.backend.clone() else {
        panic!("a file")
    };
    (store, sqlite)
}

fn delivery(n: u8, body: usize) -> Delivery {
    Delivery {
        source: Source::Webhook,
        delivery_id: format!("{n}"),
        digest: [n; 32],
        received_at: 1,
        at: 1,
        told: Told::Reached(Status::Completed),
        event: None,
        job_id: "job".to_owned(),
        facts: Facts::default(),
        request_id: String::new(),
        signature: None,
        body: Bytes::from(vec![b'x'; body]),
    }
}

#[tokio::test]
async fn every_connection_is_as_durable_as_it_must_be() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, sqlite) = store(&folder).await;
    let pragmas = [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("auto_vacuum", "2"),
        ("trusted_schema", "0"),
        ("busy_timeout", "2000"),
    ];
    for (name, expected) in pragmas {
        let question = AssertSqlSafe(format!("PRAGMA {name}"));
        let row = sqlx::query(question)
            .fetch_one(&sqlite.writer)
            .await
            .unwrap();
        let value: String = row.try_get_unchecked(0).unwrap();
        assert_eq!(value, expected, "{name}");
    }
    let refused = sqlx::query("DELETE FROM jobs")
        .execute(&sqlite.readers)
        .await;
    assert_eq!(StoreError::from(refused.unwrap_err()).kind, Kind::ReadOnly);
}

#[tokio::test]
async fn a_full_disk_is_told_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let (store, sqlite) = store(&folder).await;
    // SQLite's own limit, which it treats as a full disk.
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
        .fetch_one(&sqlite.writer)
        .await
        .unwrap();
    let limit = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::query(limit).execute(&sqlite.writer).await.unwrap();
    let batch = [delivery(1, 10), delivery(2, 100_000)];
    let error = store.write(&batch).await.err().unwrap();
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (Kind::Full, Some("13"))
    );
    assert!(store.job("job").await.unwrap().is_none());
    // Another connection took the place of the one that failed, without the limit.
    assert_eq!(store.write(&batch).await.unwrap().len(), 2);
    assert_eq!(store.job("job").await.unwrap().unwrap().records.len(), 2);
}

#[tokio::test]
async fn a_write_that_is_given_up_leaves_nothing_and_blocks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, sqlite) = store(&folder).await;
    let wrote = Notify::new();
    let given_up = sqlite.changing(async |connection| {
        sqlx::query("INSERT INTO signals VALUES ('x', 'ok', 1, NULL, 1)")
            .execute(connection)
            .await?;
        wrote.notify_one();
        std::future::pending().await
    });
    tokio::select! {
        ended = given_up => ended.unwrap(),
        () = wrote.notified() => {}
    }
    assert_eq!(store.write(&[delivery(1, 10)]).await.unwrap().len(), 1);
    assert_eq!(store.kept().await.unwrap(), []);
}

#[tokio::test]
async fn questions_use_the_indexes_made_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, sqlite) = store(&folder).await;
    let expected = [
        (sql::JOB, "USING PRIMARY KEY"),
        (sql::RECORDS, "USING INDEX events_by_job (job_id=?)"),
        (sql::LIST, "USING INDEX jobs_by_change"),
        (
            sql::LIST_BY_STATUS,
            "USING INDEX jobs_by_status (status=? AND",
        ),
        (
            sql::WINDOW,
            "USING COVERING INDEX jobs_by_end (finished_at>? AND finished_at<?)",
        ),
    ];
    for (question, index) in expected {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}"));
        let rows = sqlx::query(explain)
            .fetch_all(&sqlite.readers)
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        assert!(plan.join("\n").contains(index), "{question}: {plan:?}");
        let is_sorted = question.contains("ORDER BY changed_at");
        assert!(
            !(is_sorted && plan.join("\n").contains("TEMP B-TREE")),
            "{plan:?}"
        );
    }
}

//! What is wrong with a server is told apart, and passes.

use std::time::Duration;

use infra_health::config::Database;
use infra_health::jobs::event::Status;
use infra_health::jobs::lifecycle::Verdict;
use infra_health::jobs::store::{Kind, Store, StoreError};
use sqlx::{AssertSqlSafe, Executor};
use tokio::time::{Instant, sleep};

use super::made::{reached, verdicts};
use crate::support::postgres::{self, Server};
use crate::support::raw::DEADLINE;

async fn open(url: String) -> Result<Store, StoreError> {
    Store::open(&Database::Postgres(url.into())).await
}

#[tokio::test]
async fn a_wrong_password_or_database_is_refused_and_not_repeated() {
    let Some(server) = postgres::shared() else {
        return;
    };
    let right = server.guarded().await;
    open(right.clone()).await.unwrap();
    let database = right.rsplit('/').next().unwrap();
    let wrong = [
        (right.replace(postgres::PASSWORD, "wrong-password"), "28P01"),
        (right.replace(database, "no_such_database"), "3D000"),
    ];
    for (url, code) in wrong {
        let error = open(url).await.unwrap_err();
        assert_eq!(
            (error.kind, error.code.as_deref()),
            (Kind::Refused, Some(code))
        );
        assert!(!format!("{error} {error:?}").contains("no_such_database"));
    }
}

#[tokio::test]
async fn the_password_is_in_no_debug_output() {
    let Some(server) = postgres::shared() else {
        return;
    };
    let store = open(server.database().await).await.unwrap();
    assert!(store.kept().await.unwrap().is_empty());
    let shown = format!("{store:?}");
    assert!(
        shown.contains("Postgres") && !shown.contains(postgres::PASSWORD),
        "{shown}"
    );
}

#[tokio::test]
async fn a_database_that_can_only_be_read_is_told() {
    let Some(server) = postgres::shared() else {
        return;
    };
    let url = server.database().await;
    let store = open(url.clone()).await.unwrap();
    verdicts(&store, &[reached("job", Status::Created, 1)]).await;
    store.close().await;
    let name = url.rsplit('/').next().unwrap();
    let statement = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    let mut operator = postgres::connect(&url).await;
    operator.execute(AssertSqlSafe(statement)).await.unwrap();
    let error = match open(url).await {
        Err(error) => error,
        Ok(store) => store
            .write(&[reached("job", Status::Completed, 2)])
            .await
            .err()
            .unwrap(),
    };
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (Kind::ReadOnly, Some("25006"))
    );
}

#[tokio::test]
async fn a_lock_of_another_is_told_and_passes() {
    let Some(server) = postgres::shared() else {
        return;
    };
    let url = server.database().await;
    let store = open(url.clone()).await.unwrap();
    let mut other = postgres::connect(&url).await;
    other.execute("BEGIN; LOCK TABLE events").await.unwrap();
    let created = reached("job", Status::Created, 1);
    let error = store
        .write(std::slice::from_ref(&created))
        .await
        .err()
        .unwrap();
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (Kind::Locked, Some("55P03"))
    );
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(verdicts(&store, &[created]).await, [Some(Verdict::Moved)]);
}

#[tokio::test]
async fn a_server_that_was_stopped_is_unreachable_and_then_serves_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let url = server.database().await;
    let store = open(url.clone()).await.unwrap();
    verdicts(&store, &[reached("job", Status::Created, 1)]).await;
    server.stop();
    let completed = reached("job", Status::Completed, 2);
    for _ in 0..2 {
        let error = store
            .write(std::slice::from_ref(&completed))
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind, Kind::Unreachable, "{error}");
        assert_eq!(
            store.job("job").await.err().unwrap().kind,
            Kind::Unreachable
        );
    }
    assert_eq!(open(url.clone()).await.unwrap_err().kind, Kind::Unreachable);
    server.restart();
    let end = Instant::now() + DEADLINE;
    while let Err(error) = store.write(std::slice::from_ref(&completed)).await {
        assert!(Instant::now() < end, "{error}");
        sleep(Duration::from_millis(20)).await;
    }
    let job = store.job("job").await.unwrap().unwrap();
    assert_eq!(job.job.unwrap().status, Status::Completed);
    assert_eq!(job.records.len(), 2);
}

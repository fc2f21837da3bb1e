//! What is wrong with a file is told apart, and passes.

use std::fs;
use std::path::PathBuf;

use infra_health::config::Database;
use infra_health::jobs::event::Status;
use infra_health::jobs::lifecycle::Verdict;
use infra_health::jobs::store::{Kind, Store, StoreError};
use sqlx::Executor;

use super::made::{reached, verdicts};
use super::place::Place;

async fn refused(path: PathBuf) -> StoreError {
    Store::open(&Database::Sqlite(path)).await.unwrap_err()
}

fn code(error: &StoreError) -> Option<&str> {
    error.code.as_deref()
}

#[tokio::test]
async fn a_missing_folder_and_a_folder_in_its_place_are_named() {
    let place = Place::sqlite();
    let folder = place.file().parent().unwrap().to_owned();
    let error = refused(folder.join("missing/jobs.db")).await;
    assert_eq!(
        (error.kind, code(&error)),
        (Kind::Unreachable, Some("ENOENT"))
    );
    assert_eq!(error.to_string(), "unreachable (ENOENT)");
    let error = refused(folder).await;
    assert_eq!(
        (error.kind, code(&error)),
        (Kind::Unreachable, Some("EISDIR"))
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt_and_stays_as_it_is() {
    let place = Place::sqlite();
    let text = "not a database. ".repeat(1_000);
    fs::write(place.file(), &text).unwrap();
    assert_eq!(place.try_open().await.unwrap_err().kind, Kind::Corrupt);
    assert_eq!(fs::read_to_string(place.file()).unwrap(), text);
}

#[tokio::test]
async fn a_damaged_file_is_corrupt() {
    let place = Place::sqlite();
    let store = place.open().await;
    verdicts(&store, &[reached("job", Status::Created, 1)]).await;
    store.close().await;
    let mut bytes = fs::read(place.file()).unwrap();
    // All but the first page, which says that it is a database.
    bytes[4096..].fill(0xa5);
    fs::write(place.file(), bytes).unwrap();
    let error = match place.try_open().await {
        Err(error) => error,
        Ok(store) => store
            .write(&[reached("job", Status::Completed, 2)])
            .await
            .err()
            .unwrap(),
    };
    assert_eq!(error.kind, Kind::Corrupt);
}

#[tokio::test]
async fn a_lock_of_another_process_is_told_and_passes() {
    let place = Place::sqlite();
    let store = place.open().await;
    let mut other = place.sqlite_connection().await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let created = reached("job", Status::Created, 1);
    let error = store
        .write(std::slice::from_ref(&created))
        .await
        .err()
        .unwrap();
    assert_eq!((error.kind, code(&error)), (Kind::Locked, Some("5")));
    // Reading waits for nobody.
    assert!(store.job("job").await.unwrap().is_none());
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(verdicts(&store, &[created]).await, [Some(Verdict::Moved)]);
}

#[tokio::test]
async fn a_file_that_can_only_be_read_is_told() {
    let place = Place::sqlite();
    let store = place.open().await;
    verdicts(&store, &[reached("job", Status::Created, 1)]).await;
    store.close().await;
    // By its header only a later SQLite may write it; who is root may write whatever its mode.
    let mut bytes = fs::read(place.file()).unwrap();
    bytes[18] = 3;
    fs::write(place.file(), bytes).unwrap();
    let error = match place.try_open().await {
        Err(error) => error,
        Ok(store) => store
            .write(&[reached("job", Status::Completed, 2)])
            .await
            .err()
            .unwrap(),
    };
    assert_eq!((error.kind, code(&error)), (Kind::ReadOnly, Some("8")));
}

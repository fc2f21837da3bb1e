//! Opening, again and at once, and what is refused.

use std::os::unix::fs::PermissionsExt;
use std::{env, process};

use futures_util::future::join_all;
use infra_health::config::Database;
use infra_health::jobs::event::Status;
use infra_health::jobs::lifecycle::Verdict;
use infra_health::jobs::store::{Kind, Store};
use tokio::process::Command;

use super::made::{reached, verdicts};
use super::on_both;
use super::place::Place;

on_both!(
    many_may_open_a_new_database_at_once,
    what_is_there_stays_when_it_is_opened_again,
    a_database_of_a_newer_version_is_refused,
    a_table_of_somebody_elses_is_refused,
);

async fn many_may_open_a_new_database_at_once(place: Place) {
    let stores = join_all((0..6).map(|_| place.try_open())).await;
    for (n, store) in stores.into_iter().enumerate() {
        let one = reached(&format!("job-{n}"), Status::Created, 1);
        assert_eq!(
            verdicts(&store.unwrap(), &[one]).await,
            [Some(Verdict::Moved)]
        );
    }
    assert_eq!(place.number("SELECT COUNT(*) FROM jobs").await, 6);
    assert_eq!(
        place.number("SELECT COUNT(*) FROM _sqlx_migrations").await,
        1
    );
}

async fn what_is_there_stays_when_it_is_opened_again(place: Place) {
    let store = place.open().await;
    verdicts(&store, &[reached("job", Status::Created, 1)]).await;
    // Not closed: as after a kill -9.
    let again = place.open().await;
    assert_eq!(
        verdicts(&again, &[reached("job", Status::Created, 1)]).await,
        [None]
    );
}

async fn a_database_of_a_newer_version_is_refused(place: Place) {
    place.open().await.close().await;
    place
        .run(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 9999, 'of tomorrow', success, checksum, 0 FROM _sqlx_migrations",
        )
        .await;
    assert_eq!(place.try_open().await.unwrap_err().kind, Kind::Schema);
}

async fn a_table_of_somebody_elses_is_refused(place: Place) {
    place.run("CREATE TABLE jobs (name TEXT)").await;
    assert_eq!(place.try_open().await.unwrap_err().kind, Kind::Schema);
    // And nothing of ours is left beside it.
    place.run("CREATE TABLE events (name TEXT)").await;
}

#[tokio::test]
async fn only_its_owner_may_read_the_file_and_its_log() {
    let place = Place::sqlite();
    let store = place.open().await;
    verdicts(&store, &[reached("job", Status::Created, 1)]).await;
    let folder = place.file().parent().unwrap().to_owned();
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file:?}");
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["jobs.db", "jobs.db-shm", "jobs.db-wal"]);
}

/// The test runs itself as other processes: a lock between processes is not the one within a process.
#[tokio::test]
async fn processes_may_open_a_new_file_at_once() {
    const FILE: &str = "JOBS_STORE_TEST_FILE";
    if let Some(file) = env::var_os(FILE) {
        let store = Store::open(&Database::Sqlite(file.into())).await.unwrap();
        let one = reached(&format!("job-{}", process::id()), Status::Created, 1);
        assert_eq!(verdicts(&store, &[one]).await, [Some(Verdict::Moved)]);
        return;
    }
    let place = Place::sqlite();
    let itself = || {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([
            "--exact",
            "jobs_store::opening::processes_may_open_a_new_file_at_once",
        ]);
        command.env(FILE, place.file()).output()
    };
    for ended in join_all((0..4).map(|_| itself())).await {
        let ended = ended.unwrap();
        assert!(
            ended.status.success(),
            "{}",
            String::from_utf8_lossy(&ended.stdout)
        );
    }
    assert_eq!(place.number("SELECT COUNT(*) FROM jobs").await, 4);
}

//! The job store: one suite, on SQLite and on a real Postgres.

mod dedupe;
mod faults_postgres;
mod faults_sqlite;
mod made;
mod opening;
mod place;
mod pruning;
mod reading;
mod signals;
mod writing;

/// Runs each test of the module on both databases; without a Postgres it says so and passes.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $test() {
                super::$test(crate::jobs_store::place::Place::sqlite()).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test] async fn $test() {
                if let Some(place) = crate::jobs_store::place::Place::postgres().await {
                    super::$test(place).await;
                }
            })+
        }
    };
}
use on_both;

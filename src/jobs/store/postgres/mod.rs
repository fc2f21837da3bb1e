//! The store on a server, shared by replicas.

mod prune;
mod write;

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};

use super::open::migrator;
use super::{Kind, StoreError};

const MIGRATIONS: &[(&str, &str)] =
    &[("jobs", include_str!("../migrations/postgres/0001_jobs.sql"))];

const CONNECTIONS: u32 = 5;
/// How long a question waits for a connection, a server that is starting included.
const CONNECT: Duration = Duration::from_secs(3);

/// What a server's or a role's own settings must not change. Acknowledged is durable; a lost client holds no lock for
/// long; a plan is made for the batch at hand, not for an average one.
const SESSION: &str = "SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write'); SET lock_timeout = '3s'; SET statement_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '5s'; SET plan_cache_mode = 'force_custom_plan'; \
    SET default_transaction_isolation = 'read committed'; SET client_min_messages = 'warning'";

/// Whoever changes anything holds this advisory lock of the database until the end of its transaction: the number is
/// "jobs" in ASCII. Replicas write one after the other, so that none waits for a row and none can be in a circle.
const LOCK: i64 = 0x6a6f_6273;

/// A pool of connections to a server.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    pool: PgPool,
}

impl Postgres {
    pub(super) async fn open(url: &SecretString) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url.expose_secret())?
            .application_name("infra-health")
            // Its lines hold statements.
            .disable_statement_logging();
        prepare(&options).await?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT)
            .after_connect(|connection, _| Box::pin(settle(connection)))
            .connect_lazy_with(options);
        Ok(Postgres { pool })
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether another connection would be allowed.
    pub(super) fn lacks_connections(&self) -> bool {
        self.pool.size() < CONNECTIONS
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

async fn settle(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(SESSION).await.map(drop)
}

/// Migrates on a connection of its own, as the lock of a migration belongs to the connection: when anything goes wrong,
/// both end together.
async fn prepare(options: &PgConnectOptions) -> Result<(), StoreError> {
    let connected = tokio::time::timeout(CONNECT, options.connect()).await;
    let mut connection = connected.map_err(|_| StoreError::of(Kind::Unreachable))??;
    settle(&mut connection).await?;
    // A migration may take its time, and whoever waits for another replica's as well, but not for ever.
    connection
        .execute("SET statement_timeout = 0; SET lock_timeout = '30s'")
        .await?;
    migrator(MIGRATIONS)
        .run_direct(None, &mut connection, false)
        .await?;
    Ok(connection.close().await?)
}

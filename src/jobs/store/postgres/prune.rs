//! Pruning on the server in small steps, and what is kept there.

use sqlx::PgConnection;

use super::super::prune::{Prunable, STEP_ROWS, last_to_go};
use super::Postgres;

/// What an event takes on the disk besides its body, indexes included, and a job; as measured, rounded up.
const EVENT_BYTES: i64 = 700;
const JOB_BYTES: i64 = 550;

const TABLES: &str = "SELECT (pg_total_relation_size('events') + pg_total_relation_size('bodies') \
    + pg_total_relation_size('jobs'))::bigint";

/// From indexes alone.
const LIVE: &str = "SELECT \
    (SELECT coalesce(sum(body_bytes), 0) FROM bodies)::bigint, (SELECT count(*) FROM events), (SELECT count(*) FROM jobs)";

const OLD: &str = "DELETE FROM events WHERE seq = ANY(ARRAY( \
    SELECT seq FROM events WHERE received_at < $1 ORDER BY received_at LIMIT $2)) RETURNING seq, job_id";

const ORPHANS: &str = "DELETE FROM jobs WHERE job_id = ANY($1) \
    AND NOT EXISTS (SELECT 1 FROM events WHERE events.job_id = jobs.job_id)";

impl Prunable for Postgres {
    async fn remove_events(&self, until: i64) -> Result<u64, sqlx::Error> {
        self.changing(async |connection| events(connection, until).await)
            .await
    }

    /// What the tables take, or what their rows should take if that is less, as the server gives space back late or
    /// never. The tables alone tell that it is at most `enough`; rows are counted only beyond, without the lock of
    /// writers.
    async fn bytes_beyond(&self, enough: u64) -> Result<u64, sqlx::Error> {
        let mut connection = self.pool().acquire().await?;
        let tables: i64 = sqlx::query_scalar(TABLES)
            .fetch_one(&mut *connection)
            .await?;
        if tables.unsigned_abs() <= enough {
            return Ok(tables.unsigned_abs());
        }
        let (bodies, events, jobs): (i64, i64, i64) =
            sqlx::query_as(LIVE).fetch_one(&mut *connection).await?;
        let live = bodies + events * EVENT_BYTES + jobs * JOB_BYTES;
        Ok(live.min(tables).unsigned_abs())
    }

    async fn remove_bodies(&self, over: u64) -> Result<u64, sqlx::Error> {
        self.changing(async |connection| bodies(connection, over).await)
            .await
    }

    /// The server's own autovacuum does that.
    async fn shrink(&self, _max_bytes: u64) -> Result<bool, sqlx::Error> {
        Ok(false)
    }
}

/// Removes events that came before `until`, the oldest of them, with their bodies and the jobs that nothing is left of.
async fn events(connection: &mut PgConnection, until: i64) -> Result<u64, sqlx::Error> {
    let gone: Vec<(i64, String)> = sqlx::query_as(OLD)
        .bind(until)
        .bind(STEP_ROWS)
        .fetch_all(&mut *connection)
        .await?;
    if gone.is_empty() {
        return Ok(0);
    }
    let count = gone.len() as u64;
    let (seqs, jobs): (Vec<i64>, Vec<String>) = gone.into_iter().unzip();
    sqlx::query("DELETE FROM bodies WHERE seq = ANY($1)")
        .bind(seqs)
        .execute(&mut *connection)
        .await?;
    sqlx::query(ORPHANS).bind(jobs).execute(connection).await?;
    Ok(count)
}

/// Removes the oldest bodies, about `over` bytes of them.
async fn bodies(connection: &mut PgConnection, over: u64) -> Result<u64, sqlx::Error> {
    let oldest: Vec<(i64, i64)> =
        sqlx::query_as("SELECT seq, body_bytes::bigint FROM bodies ORDER BY seq LIMIT $1")
            .bind(STEP_ROWS)
            .fetch_all(&mut *connection)
            .await?;
    let Some(last) = last_to_go(&oldest, over) else {
        return Ok(0);
    };
    let gone = sqlx::query("DELETE FROM bodies WHERE seq <= $1")
        .bind(last)
        .execute(connection)
        .await?;
    Ok(gone.rows_affected())
}

//! Pruning the file in small steps.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::SqliteConnection;

use super::super::prune::{Prunable, STEP_ROWS, last_to_go};
use super::Sqlite;

/// Pages that one step gives back to the file system.
const STEP_PAGES: u64 = 512;

const OLD: &str = "DELETE FROM events WHERE seq IN \
    (SELECT seq FROM events WHERE received_at < $1 ORDER BY received_at LIMIT $2) RETURNING seq, job_id";

// Lists go in as JSON: SQLite has no arrays.
const THEIR_BODIES: &str = "DELETE FROM bodies WHERE seq IN (SELECT value FROM json_each($1))";

const ORPHANS: &str = "DELETE FROM jobs WHERE job_id IN (SELECT value FROM json_each($1)) \
    AND NOT EXISTS (SELECT 1 FROM events WHERE events.job_id = jobs.job_id)";

/// What the file holds, in pages but for `page_bytes`.
struct Size {
    pages: u64,
    free: u64,
    page_bytes: u64,
}

impl Size {
    fn used_bytes(&self) -> u64 {
        self.pages.saturating_sub(self.free) * self.page_bytes
    }

    fn bytes(&self) -> u64 {
        self.pages * self.page_bytes
    }
}

impl Prunable for Sqlite {
    async fn remove_events(&self, until: i64) -> Result<u64, sqlx::Error> {
        self.changing(async |connection| events(connection, until).await)
            .await
    }

    /// Pages in use; free ones inside the file are used again, and its log is not counted.
    async fn bytes_beyond(&self, _enough: u64) -> Result<u64, sqlx::Error> {
        let mut connection = self.readers().acquire().await?;
        Ok(size(&mut connection).await?.used_bytes())
    }

    async fn remove_bodies(&self, over: u64) -> Result<u64, sqlx::Error> {
        self.changing(async |connection| bodies(connection, over).await)
            .await
    }

    /// Below `max_bytes` free pages wait in the file for their next use.
    async fn shrink(&self, max_bytes: u64) -> Result<bool, sqlx::Error> {
        let mut connection = self.writer().await?;
        let size = size(&mut connection).await?;
        let over = size.bytes().saturating_sub(max_bytes);
        let to_give = over.div_ceil(size.page_bytes.max(1)).min(size.free);
        if to_give == 0 {
            return Ok(false);
        }
        // A number, not text from outside; a pragma takes no parameters.
        let statement = format!("PRAGMA incremental_vacuum({})", to_give.min(STEP_PAGES));
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .persistent(false)
            .execute(&mut *connection)
            .await?;
        Ok(to_give > STEP_PAGES)
    }
}

/// Removes events that came before `until`, the oldest of them, with their bodies and the jobs that nothing is left of.
async fn events(connection: &mut SqliteConnection, until: i64) -> Result<u64, sqlx::Error> {
    let gone: Vec<(i64, String)> = sqlx::query_as(OLD)
        .bind(until)
        .bind(STEP_ROWS)
        .fetch_all(&mut *connection)
        .await?;
    let count = gone.len() as u64;
    let (seqs, jobs): (Vec<i64>, BTreeSet<String>) = gone.into_iter().unzip();
    for (statement, list) in [(THEIR_BODIES, json!(seqs)), (ORPHANS, json!(jobs))] {
        sqlx::query(statement)
            .bind(list.to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(count)
}

/// Removes the oldest bodies, about `over` bytes of them.
async fn bodies(connection: &mut SqliteConnection, over: u64) -> Result<u64, sqlx::Error> {
    let oldest: Vec<(i64, i64)> =
        sqlx::query_as("SELECT seq, body_bytes FROM bodies ORDER BY seq LIMIT $1")
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

async fn size(connection: &mut SqliteConnection) -> Result<Size, sqlx::Error> {
    let (pages, free, page_bytes): (i64, i64, i64) = sqlx::query_as(
        "SELECT page_count, freelist_count, page_size \
         FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()",
    )
    .fetch_one(connection)
    .await?;
    Ok(Size {
        pages: pages.unsigned_abs(),
        free: free.unsigned_abs(),
        page_bytes: page_bytes.unsigned_abs(),
    })
}

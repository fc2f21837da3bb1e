//! Pruning the file in small steps.

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use super::super::{Limits, Pruned, STEP_ROWS, before, last_to_go};
use super::Sqlite;

/// Pages that one step gives back to the file system.
const STEP_PAGES: u64 = 512;

const OLD: &str = "DELETE FROM events WHERE seq IN \
    (SELECT seq FROM events WHERE received_at < $1 ORDER BY received_at LIMIT $2) RETURNING seq, job_id";

const ORPHAN: &str =
    "DELETE FROM jobs WHERE job_id = $1 AND NOT EXISTS (SELECT 1 FROM events WHERE job_id = $1)";

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

impl Sqlite {
    /// Pages in use; free ones inside the file are used again, and its log is not counted.
    pub(in super::super) async fn bytes(&self) -> Result<u64, sqlx::Error> {
        Ok(size(&mut *self.readers().acquire().await?)
            .await?
            .used_bytes())
    }

    pub(in super::super) async fn prune(
        &self,
        limits: &Limits,
        now: i64,
    ) -> Result<Pruned, sqlx::Error> {
        let pruned = self
            .changing(async |connection| prune(connection, limits, now).await)
            .await?;
        if pruned.more {
            return Ok(pruned);
        }
        let more = self.shrink(limits.max_bytes).await?;
        Ok(Pruned { more, ..pruned })
    }

    /// Holds the file itself to `max_bytes`, a few pages a step; below that, free pages wait for their next use.
    async fn shrink(&self, max_bytes: u64) -> Result<bool, sqlx::Error> {
        let mut connection = self.writer().await?;
        let size = size(&mut connection).await?;
        let over = size
            .bytes()
            .saturating_sub(max_bytes)
            .div_ceil(size.page_bytes.max(1));
        let pages = over.min(size.free).min(STEP_PAGES);
        if pages == 0 {
            return Ok(false);
        }
        // A number, not text from outside; a pragma takes no parameters.
        let statement = format!("PRAGMA incremental_vacuum({pages})");
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await?;
        Ok(pages < over.min(size.free))
    }
}

async fn prune(
    connection: &mut SqliteConnection,
    limits: &Limits,
    now: i64,
) -> Result<Pruned, sqlx::Error> {
    let expired = before(now, limits.retention.max(limits.dedupe));
    let events = events(connection, expired).await?;
    if events > 0 {
        let more = true;
        return Ok(Pruned {
            bodies: 0,
            events,
            more,
        });
    }
    let over = size(connection)
        .await?
        .used_bytes()
        .saturating_sub(limits.max_bytes);
    if over == 0 {
        return Ok(Pruned::default());
    }
    let bodies = bodies(connection, over).await?;
    let events = match bodies {
        0 => self::events(connection, before(now, limits.dedupe)).await?,
        _ => 0,
    };
    let more = bodies + events > 0;
    Ok(Pruned {
        bodies,
        events,
        more,
    })
}

/// Removes events that came before `until`, the oldest of them, with their bodies and the jobs that nothing is left of.
async fn events(connection: &mut SqliteConnection, until: i64) -> Result<u64, sqlx::Error> {
    let gone: Vec<(i64, String)> = sqlx::query_as(OLD)
        .bind(until)
        .bind(STEP_ROWS)
        .fetch_all(&mut *connection)
        .await?;
    for (seq, _) in &gone {
        sqlx::query("DELETE FROM bodies WHERE seq = $1")
            .bind(seq)
            .execute(&mut *connection)
            .await?;
    }
    let jobs: BTreeSet<&str> = gone.iter().map(|(_, job_id)| job_id.as_str()).collect();
    for job_id in jobs {
        sqlx::query(ORPHAN)
            .bind(job_id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(gone.len() as u64)
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

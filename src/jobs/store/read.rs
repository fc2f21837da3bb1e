//! Questions without a change, the same on both databases.

use crate::jobs::lifecycle::Job;
use crate::jobs::signals::window::Slice;

use super::columns::{self, JobRow, KeptRow, RecordRow, SliceRow};
use super::{Backend, Kept, Store, StoreError, Trail, Wanted, sql};

/// The most records of one job that are shown.
const TRAIL: i64 = 1000;

/// Asks the one or the other with the same words: their pools are different types.
macro_rules! ask {
    ($store:expr, |$pool:ident, $snapshot:ident| $question:expr) => {
        match &$store.backend {
            Backend::Sqlite(sqlite) => {
                let ($pool, $snapshot) = (sqlite.readers(), "BEGIN");
                $question
            }
            Backend::Postgres(postgres) => {
                let $pool = postgres.pool();
                let $snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                $question
            }
        }
    };
    ($store:expr, |$pool:ident| $question:expr) => {
        ask!($store, |$pool, _snapshot| $question)
    };
}

impl Store {
    /// A job and what was told of it, 1000 records at most, those that moved it before any other; `None` if nothing is known of that id.
    pub async fn job(&self, job_id: &str) -> Result<Option<Trail>, StoreError> {
        let (job, records) = self
            .bounded(async {
                ask!(self, |pool, snapshot| {
                    // Of one moment: a job never stands where its records do not lead.
                    let mut moment = pool.begin_with(snapshot).await?;
                    let job: Option<JobRow> = sqlx::query_as(sql::JOB)
                        .bind(job_id)
                        .fetch_optional(&mut *moment)
                        .await?;
                    let records: Vec<RecordRow> = sqlx::query_as(sql::RECORDS)
                        .bind(job_id)
                        .bind(TRAIL)
                        .fetch_all(&mut *moment)
                        .await?;
                    moment.rollback().await?;
                    let job = job.map(columns::job).transpose()?;
                    Ok((job, each(records, columns::record)?))
                })
            })
            .await?;
        let known = job.is_some() || !records.is_empty();
        Ok(known.then_some(Trail { job, records }))
    }

    /// A page of jobs, newest change first. A change moves a job to the front, so whoever follows the pages to their
    /// end meets each job once at most, and each that did not change meanwhile exactly once.
    pub async fn list(&self, wanted: &Wanted) -> Result<Vec<Job>, StoreError> {
        let since = wanted.since.unwrap_or(i64::MIN);
        let (at, id) = match &wanted.after {
            Some((changed_at, job_id)) => (*changed_at, job_id.as_str()),
            None => (i64::MAX, ""),
        };
        let limit = i64::from(wanted.limit);
        let rows: Vec<JobRow> = self
            .bounded(async {
                ask!(self, |pool| match wanted.status {
                    None => {
                        let page = sqlx::query_as(sql::LIST).bind(since).bind(at).bind(id);
                        page.bind(limit).fetch_all(pool).await
                    }
                    Some(status) => {
                        let page = sqlx::query_as(sql::LIST_BY_STATUS);
                        let page = page.bind(since).bind(at).bind(id).bind(limit);
                        page.bind(status.number()).fetch_all(pool).await
                    }
                })
            })
            .await?;
        Ok(each(rows, columns::job)?)
    }

    /// The jobs that ended after `since` and not after `until`, alike ones counted together; only those of which one
    /// of `sources` has told. Reads an index alone: the cost grows with the jobs of the window, not with the store.
    pub async fn window(
        &self,
        since: i64,
        until: i64,
        sources: i16,
    ) -> Result<Vec<Slice>, StoreError> {
        let rows: Vec<SliceRow> = self
            .bounded(async {
                ask!(self, |pool| {
                    let window = sqlx::query_as(sql::WINDOW).bind(since).bind(until);
                    window.bind(sources).fetch_all(pool).await
                })
            })
            .await?;
        Ok(each(rows, columns::slice)?)
    }

    /// All that is kept of signals, by name. What cannot be read, as of a later version, is as good as not there: the next
    /// evaluation replaces it.
    pub async fn kept(&self) -> Result<Vec<Kept>, StoreError> {
        let rows: Vec<KeptRow> = self
            .bounded(async { ask!(self, |pool| sqlx::query_as(sql::KEPT).fetch_all(pool).await) })
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| columns::kept(row).ok())
            .collect())
    }
}

fn each<R, T>(
    rows: Vec<R>,
    meaning: impl Fn(R) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, sqlx::Error> {
    rows.into_iter().map(meaning).collect()
}

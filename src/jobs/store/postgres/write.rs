//! Writing to the server: the same few round trips for any batch.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;

use crate::jobs::event::Delivery;
use crate::jobs::lifecycle::{Job, Verdict};

use super::super::columns::{self, JobRow, derived};
use super::super::decide::decide;
use super::super::{Kept, Stored, sql};
use super::{LOCK, Postgres};

const SEEN: &str = "SELECT delivery_id, digest FROM events WHERE delivery_id = ANY($1) \
    UNION ALL SELECT delivery_id, digest FROM events WHERE digest = ANY($2)";

const EVENTS: &str = "WITH batch AS (SELECT * FROM UNNEST($1::smallint[], $2::text[], $3::bytea[], $4::bigint[], \
    $5::bigint[], $6::smallint[], $7::text[], $8::smallint[], $9::text[], $10::text[], $11::bytea[], $12::bytea[]) \
    WITH ORDINALITY AS t (source, delivery_id, digest, received_at, at, status, event, verdict, job_id, request_id, \
    signature, body, place)), \
    events AS (INSERT INTO events (source, delivery_id, digest, received_at, at, status, event, verdict, job_id, \
    request_id) SELECT source, delivery_id, digest, received_at, at, status, event, verdict, job_id, request_id \
    FROM batch ORDER BY place RETURNING seq, delivery_id) \
    INSERT INTO bodies (seq, body_bytes, signature, body) \
    SELECT seq, octet_length(body), signature, body FROM events JOIN batch USING (delivery_id)";

const JOBS: &str = concat!(
    "INSERT INTO jobs (",
    sql::job_values!(),
    ") SELECT * FROM UNNEST($1::text[], $2::smallint[], $3::smallint[], $4::text[], $5::text[], $6::text[], \
     $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::boolean[], $13::bigint[], $14::bigint[], \
     $15::bigint[], $16::bigint[], $17::smallint[], $18::bigint[]) ",
    sql::job_replaced!()
);

const KEEP: &str = concat!(
    "INSERT INTO signals (name, state, since, over_since, evaluated_at) \
     SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) ",
    sql::signal_replaced!()
);

impl Postgres {
    pub(in super::super) async fn write(
        &self,
        batch: &[Delivery],
    ) -> Result<Vec<Stored>, sqlx::Error> {
        self.changing(async |connection| write(connection, batch).await)
            .await
    }

    pub(in super::super) async fn keep(
        &self,
        kept: &[Kept],
        forgotten: i64,
    ) -> Result<(), sqlx::Error> {
        self.changing(async |connection| keep(connection, kept, forgotten).await)
            .await
    }

    /// Runs `change` as one transaction, alone among all replicas. What it reads is what the one before it left: each
    /// statement sees what was committed before it began.
    pub(super) async fn changing<T>(
        &self,
        change: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(LOCK)
            .execute(&mut *transaction)
            .await?;
        let changed = change(&mut transaction).await?;
        transaction.commit().await?;
        Ok(changed)
    }
}

async fn write(
    connection: &mut PgConnection,
    batch: &[Delivery],
) -> Result<Vec<Stored>, sqlx::Error> {
    let seen = seen(connection, batch).await?;
    let new = batch.iter().zip(&seen).filter(|(_, seen)| !**seen);
    let ids: HashSet<&str> = new.map(|(delivery, _)| delivery.job_id.as_str()).collect();
    let jobs = if ids.is_empty() {
        HashMap::new()
    } else {
        jobs(connection, ids).await?
    };
    let decided = decide(batch, &seen, jobs);
    if !decided.events.is_empty() {
        add(connection, &decided.events).await?;
    }
    if !decided.jobs.is_empty() {
        replace(connection, &decided.jobs).await?;
    }
    Ok(decided.stored)
}

/// Of each delivery, whether its id or its digest is there.
async fn seen(connection: &mut PgConnection, batch: &[Delivery]) -> Result<Vec<bool>, sqlx::Error> {
    let ids: Vec<&str> = batch.iter().map(|one| one.delivery_id.as_str()).collect();
    let digests: Vec<&[u8]> = batch.iter().map(|one| &one.digest[..]).collect();
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(SEEN)
        .bind(ids)
        .bind(digests)
        .fetch_all(connection)
        .await?;
    let (ids, digests): (HashSet<_>, HashSet<_>) = rows.into_iter().unzip();
    let seen = batch
        .iter()
        .map(|one| ids.contains(&one.delivery_id) || digests.contains(&one.digest[..]));
    Ok(seen.collect())
}

async fn jobs(
    connection: &mut PgConnection,
    ids: HashSet<&str>,
) -> Result<HashMap<String, Job>, sqlx::Error> {
    let rows: Vec<JobRow> = sqlx::query_as(sql::JOBS)
        .bind(Vec::from_iter(ids))
        .fetch_all(connection)
        .await?;
    let jobs = rows.into_iter().map(columns::job);
    jobs.map(|job| job.map(|job| (job.job_id.clone(), job)))
        .collect()
}

/// One member of all, as a column.
fn each<'a, O, T>(all: &'a [O], member: impl Fn(&'a O) -> T) -> Vec<T> {
    all.iter().map(member).collect()
}

async fn add(
    connection: &mut PgConnection,
    events: &[(&Delivery, Verdict)],
) -> Result<(), sqlx::Error> {
    sqlx::query(EVENTS)
        .bind(each(events, |(one, _)| one.source.bit()))
        .bind(each(events, |(one, _)| one.delivery_id.as_str()))
        .bind(each(events, |(one, _)| &one.digest[..]))
        .bind(each(events, |(one, _)| one.received_at))
        .bind(each(events, |(one, _)| one.at))
        .bind(each(events, |(one, _)| columns::status(one.told)))
        .bind(each(events, |(one, _)| one.event.as_deref()))
        .bind(each(events, |(_, verdict)| verdict.number()))
        .bind(each(events, |(one, _)| one.job_id.as_str()))
        .bind(each(events, |(one, _)| one.request_id.as_str()))
        .bind(each(events, |(one, _)| {
            one.signature.as_ref().map(|signature| &signature[..])
        }))
        .bind(each(events, |(one, _)| &one.body[..]))
        .execute(connection)
        .await?;
    Ok(())
}

async fn replace(connection: &mut PgConnection, jobs: &[Job]) -> Result<(), sqlx::Error> {
    let derived: Vec<(Option<i16>, Option<i64>)> = jobs.iter().map(derived).collect();
    sqlx::query(JOBS)
        .bind(each(jobs, |job| job.job_id.as_str()))
        .bind(each(jobs, |job| job.status.number()))
        .bind(each(jobs, |job| job.sources))
        .bind(each(jobs, |job| job.facts.model.as_deref()))
        .bind(each(jobs, |job| job.facts.output_format.as_deref()))
        .bind(each(jobs, |job| job.facts.request_id.as_deref()))
        .bind(each(jobs, |job| job.facts.credits.as_deref()))
        .bind(each(jobs, |job| job.facts.user_id.as_deref()))
        .bind(each(jobs, |job| job.facts.error_code.as_deref()))
        .bind(each(jobs, |job| job.facts.error_message.as_deref()))
        .bind(each(jobs, |job| job.facts.execution_ms))
        .bind(each(jobs, |job| job.facts.cancelled))
        .bind(each(jobs, |job| job.created_at))
        .bind(each(jobs, |job| job.started_at))
        .bind(each(jobs, |job| job.finished_at))
        .bind(each(jobs, |job| job.changed_at))
        .bind(each(&derived, |(ended, _)| *ended))
        .bind(each(&derived, |(_, processing_ms)| *processing_ms))
        .execute(connection)
        .await?;
    Ok(())
}

async fn keep(
    connection: &mut PgConnection,
    kept: &[Kept],
    forgotten: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(KEEP)
        .bind(each(kept, |signal| signal.name.as_str()))
        .bind(each(kept, |signal| signal.state.as_str()))
        .bind(each(kept, |signal| signal.since))
        .bind(each(kept, |signal| signal.over_since))
        .bind(each(kept, |signal| signal.evaluated_at))
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM signals WHERE evaluated_at < $1 AND name <> ALL($2)")
        .bind(forgotten)
        .bind(each(kept, |signal| signal.name.as_str()))
        .execute(connection)
        .await?;
    Ok(())
}

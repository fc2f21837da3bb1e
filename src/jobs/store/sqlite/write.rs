//! Writing to the file: a row a statement, prepared once.

use std::collections::HashMap;

use sqlx::{Connection, SqliteConnection};

use crate::jobs::event::Delivery;
use crate::jobs::lifecycle::{Job, Verdict};

use super::super::columns::{self, JobRow, derived};
use super::super::decide::decide;
use super::super::{Kept, Stored, sql};
use super::{BEGIN, Sqlite};

const SEEN: &str = "SELECT EXISTS (SELECT 1 FROM events WHERE delivery_id = $1 OR digest = $2)";

const EVENT: &str = "INSERT INTO events (source, delivery_id, digest, received_at, at, status, event, verdict, job_id, \
    request_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const BODY: &str = "INSERT INTO bodies (seq, body_bytes, signature, body) VALUES ($1, $2, $3, $4)";

const JOB: &str = concat!(
    "INSERT INTO jobs (",
    sql::job_values!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ",
    sql::job_replaced!()
);

const KEEP: &str = concat!(
    "INSERT INTO signals (name, state, since, over_since, evaluated_at) VALUES ($1, $2, $3, $4, $5) ",
    sql::signal_replaced!()
);

impl Sqlite {
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

    /// Runs `change` as one transaction.
    pub(super) async fn changing<T>(
        &self,
        change: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let mut connection = self.writer().await?;
        let changed = async {
            let mut transaction = connection.begin_with(BEGIN).await?;
            let changed = change(&mut transaction).await?;
            transaction.commit().await?;
            Ok(changed)
        }
        .await;
        if changed.is_err() {
            // SQLite ends a transaction by itself when the disk is full, and sqlx goes on counting it as open.
            connection.close_on_drop();
        }
        changed
    }
}

async fn write(
    connection: &mut SqliteConnection,
    batch: &[Delivery],
) -> Result<Vec<Stored>, sqlx::Error> {
    let mut seen = Vec::with_capacity(batch.len());
    let mut jobs = HashMap::new();
    for delivery in batch {
        let known: bool = sqlx::query_scalar(SEEN)
            .bind(&delivery.delivery_id)
            .bind(&delivery.digest[..])
            .fetch_one(&mut *connection)
            .await?;
        seen.push(known);
        if known || jobs.contains_key(&delivery.job_id) {
            continue;
        }
        let row: Option<JobRow> = sqlx::query_as(sql::JOB)
            .bind(&delivery.job_id)
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(row) = row {
            jobs.insert(delivery.job_id.clone(), columns::job(row)?);
        }
    }
    let decided = decide(batch, &seen, jobs);
    for (delivery, verdict) in &decided.events {
        event(connection, delivery, *verdict).await?;
    }
    for changed in &decided.jobs {
        job(connection, changed).await?;
    }
    Ok(decided.stored)
}

async fn event(
    connection: &mut SqliteConnection,
    delivery: &Delivery,
    verdict: Verdict,
) -> Result<(), sqlx::Error> {
    let event = sqlx::query(EVENT)
        .bind(delivery.source.bit())
        .bind(&delivery.delivery_id)
        .bind(&delivery.digest[..])
        .bind(delivery.received_at)
        .bind(delivery.at)
        .bind(columns::status(delivery.told))
        .bind(&delivery.event)
        .bind(verdict.number())
        .bind(&delivery.job_id)
        .bind(&delivery.request_id)
        .execute(&mut *connection)
        .await?;
    sqlx::query(BODY)
        .bind(event.last_insert_rowid())
        .bind(i64::try_from(delivery.body.len()).unwrap_or(i64::MAX))
        .bind(delivery.signature.as_ref().map(|signature| &signature[..]))
        .bind(&delivery.body[..])
        .execute(connection)
        .await?;
    Ok(())
}

async fn job(connection: &mut SqliteConnection, job: &Job) -> Result<(), sqlx::Error> {
    let (ended, processing_ms) = derived(job);
    sqlx::query(JOB)
        .bind(&job.job_id)
        .bind(job.status.number())
        .bind(job.sources)
        .bind(&job.facts.model)
        .bind(&job.facts.output_format)
        .bind(&job.facts.request_id)
        .bind(&job.facts.credits)
        .bind(&job.facts.user_id)
        .bind(&job.facts.error_code)
        .bind(&job.facts.error_message)
        .bind(job.facts.execution_ms)
        .bind(job.facts.cancelled)
        .bind(job.created_at)
        .bind(job.started_at)
        .bind(job.finished_at)
        .bind(job.changed_at)
        .bind(ended)
        .bind(processing_ms)
        .execute(connection)
        .await?;
    Ok(())
}

async fn keep(
    connection: &mut SqliteConnection,
    kept: &[Kept],
    forgotten: i64,
) -> Result<(), sqlx::Error> {
    for signal in kept {
        sqlx::query(KEEP)
            .bind(&signal.name)
            .bind(signal.state.as_str())
            .bind(signal.since)
            .bind(signal.over_since)
            .bind(signal.evaluated_at)
            .execute(&mut *connection)
            .await?;
    }
    let old: Vec<String> = sqlx::query_scalar("SELECT name FROM signals WHERE evaluated_at < $1")
        .bind(forgotten)
        .fetch_all(&mut *connection)
        .await?;
    for name in old {
        if kept.iter().all(|signal| signal.name != name) {
            sqlx::query("DELETE FROM signals WHERE name = $1")
                .bind(name)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

//! Questions that both databases are asked in the same words.

macro_rules! job_columns {
    () => {
        "job_id, status, sources, model, output_format, request_id, credits, user_id, error_code, error_message, \
         execution_ms, cancelled, created_at, started_at, finished_at, changed_at"
    };
}

/// What is written of a job, in the order in which both databases bind it.
macro_rules! job_values {
    () => {
        "job_id, status, sources, model, output_format, request_id, credits, user_id, error_code, error_message, \
         execution_ms, cancelled, created_at, started_at, finished_at, changed_at, ended, processing_ms"
    };
}
pub(super) use job_values;

/// What becomes of a job that is there already.
macro_rules! job_replaced {
    () => {
        "ON CONFLICT (job_id) DO UPDATE SET status = excluded.status, sources = excluded.sources, \
         model = excluded.model, output_format = excluded.output_format, request_id = excluded.request_id, \
         credits = excluded.credits, user_id = excluded.user_id, error_code = excluded.error_code, \
         error_message = excluded.error_message, execution_ms = excluded.execution_ms, \
         cancelled = excluded.cancelled, created_at = excluded.created_at, started_at = excluded.started_at, \
         finished_at = excluded.finished_at, changed_at = excluded.changed_at, ended = excluded.ended, \
         processing_ms = excluded.processing_ms"
    };
}
pub(super) use job_replaced;

/// What becomes of a signal that is there already: the later evaluation stays, unless it is of a clock that was ahead.
macro_rules! signal_replaced {
    () => {
        "ON CONFLICT (name) DO UPDATE SET state = excluded.state, since = excluded.since, \
         over_since = excluded.over_since, evaluated_at = excluded.evaluated_at \
         WHERE signals.evaluated_at <= excluded.evaluated_at \
         OR signals.evaluated_at > excluded.evaluated_at + 60000"
    };
}
pub(super) use signal_replaced;

/// One job.
pub(super) const JOB: &str = concat!("SELECT ", job_columns!(), " FROM jobs WHERE job_id = $1");

/// Several jobs; Postgres alone has arrays.
pub(super) const JOBS: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM jobs WHERE job_id = ANY($1)"
);

/// Records of a job, oldest first: those that moved it (verdict 0), and of the others the newest.
pub(super) const RECORDS: &str = "SELECT verdict, status, event, at, received_at, delivery_id, request_id FROM \
    (SELECT * FROM events WHERE job_id = $1 ORDER BY CASE verdict WHEN 0 THEN 0 ELSE 1 END, seq DESC LIMIT $2) AS shown ORDER BY seq";

/// A page of the list: since `$1`, after `$2` and `$3`, `$4` at most.
pub(super) const LIST: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM jobs WHERE changed_at >= $1 AND (changed_at, job_id) < ($2, $3) \
     ORDER BY changed_at DESC, job_id DESC LIMIT $4"
);

/// The same of the jobs that stand at `$5`.
pub(super) const LIST_BY_STATUS: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM jobs WHERE status = $5 AND changed_at >= $1 AND (changed_at, job_id) < ($2, $3) \
     ORDER BY changed_at DESC, job_id DESC LIMIT $4"
);

/// The jobs that ended in a window. `ended IS NOT NULL` names the index that has all of this.
pub(super) const WINDOW: &str = "SELECT model, ended, processing_ms, COUNT(*) FROM jobs \
    WHERE ended IS NOT NULL AND finished_at > $1 AND finished_at <= $2 AND sources & $3 <> 0 \
    GROUP BY model, ended, processing_ms";

/// What is kept of the signals.
pub(super) const KEPT: &str =
    "SELECT name, state, since, over_since, evaluated_at FROM signals ORDER BY name";

-- Every delivery, once: what it said and what it made of its job. Times are milliseconds since 1970.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    delivery_id TEXT NOT NULL UNIQUE CHECK (length(delivery_id) BETWEEN 1 AND 256),
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    received_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    status INTEGER,
    event TEXT,
    verdict INTEGER NOT NULL,
    job_id TEXT NOT NULL CHECK (length(job_id) BETWEEN 1 AND 256),
    request_id TEXT NOT NULL
) STRICT;

-- A job's trail.
CREATE INDEX events_by_job ON events (job_id, seq);
-- Retention, the oldest first.
CREATE INDEX events_by_age ON events (received_at);

-- What came, as it came. Beside its event, so that removing it gives whole pages back. `body_bytes` stands before the
-- body, so that a sum does not read it.
CREATE TABLE bodies (
    seq INTEGER PRIMARY KEY,
    body_bytes INTEGER NOT NULL,
    signature BLOB,
    body BLOB NOT NULL
) STRICT;

-- What its events made of each job. `ended` and the rounded `processing_ms` follow from the rest; they stand here to be
-- counted from an index alone.
CREATE TABLE jobs (
    job_id TEXT NOT NULL PRIMARY KEY,
    status INTEGER NOT NULL,
    sources INTEGER NOT NULL,
    model TEXT,
    output_format TEXT,
    request_id TEXT,
    credits TEXT,
    user_id TEXT,
    error_code TEXT,
    error_message TEXT,
    execution_ms INTEGER,
    cancelled INTEGER NOT NULL,
    created_at INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    changed_at INTEGER NOT NULL,
    ended INTEGER,
    processing_ms INTEGER
) STRICT, WITHOUT ROWID;

-- The list, newest change first.
CREATE INDEX jobs_by_change ON jobs (changed_at, job_id);
CREATE INDEX jobs_by_status ON jobs (status, changed_at, job_id);
-- The window of the signals: everything they ask for.
CREATE INDEX jobs_by_end ON jobs (finished_at, ended, model, processing_ms, sources) WHERE ended IS NOT NULL;

-- The state of each signal from one evaluation to the next.
CREATE TABLE signals (
    name TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    over_since INTEGER,
    evaluated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

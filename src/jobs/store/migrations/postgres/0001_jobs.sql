-- Every delivery, once: what it said and what it made of its job. Times are milliseconds since 1970.
-- Texts compare by bytes, so that an update of the system's collations cannot break an index.
CREATE TABLE events (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source SMALLINT NOT NULL,
    delivery_id TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(delivery_id) BETWEEN 1 AND 256),
    digest BYTEA NOT NULL UNIQUE CHECK (length(digest) = 32),
    received_at BIGINT NOT NULL,
    at BIGINT NOT NULL,
    status SMALLINT,
    event TEXT,
    verdict SMALLINT NOT NULL,
    job_id TEXT COLLATE "C" NOT NULL CHECK (length(job_id) BETWEEN 1 AND 256),
    request_id TEXT NOT NULL
);

-- A job's trail.
CREATE INDEX events_by_job ON events (job_id, seq);
-- Retention, the oldest first.
CREATE INDEX events_by_age ON events (received_at);

-- What came, as it came. Beside its event, so that removing it is no new version of the event. The key holds the sizes,
-- so that their sum is read from it alone.
CREATE TABLE bodies (
    seq BIGINT NOT NULL,
    body_bytes INTEGER NOT NULL,
    signature BYTEA,
    body BYTEA NOT NULL,
    PRIMARY KEY (seq) INCLUDE (body_bytes)
);

-- What its events made of each job. `ended` and the rounded `processing_ms` follow from the rest; they stand here to be
-- counted from an index alone.
CREATE TABLE jobs (
    job_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    status SMALLINT NOT NULL,
    sources SMALLINT NOT NULL,
    model TEXT COLLATE "C",
    output_format TEXT,
    request_id TEXT,
    credits TEXT,
    user_id TEXT,
    error_code TEXT,
    error_message TEXT,
    execution_ms BIGINT,
    cancelled BOOLEAN NOT NULL,
    created_at BIGINT,
    started_at BIGINT,
    finished_at BIGINT,
    changed_at BIGINT NOT NULL,
    ended SMALLINT,
    processing_ms BIGINT
);

-- The list, newest change first.
CREATE INDEX jobs_by_change ON jobs (changed_at, job_id);
CREATE INDEX jobs_by_status ON jobs (status, changed_at, job_id);
-- The window of the signals: everything they ask for.
CREATE INDEX jobs_by_end ON jobs (finished_at, ended, model, processing_ms, sources) WHERE ended IS NOT NULL;

-- The state of each signal from one evaluation to the next.
CREATE TABLE signals (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    since BIGINT NOT NULL,
    over_since BIGINT,
    evaluated_at BIGINT NOT NULL
);

"""What a store has kept, read past the service: by Python's own SQLite, and by psql."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from proving.postgres import bytes_of

EVENTS = ("seq, delivery_id, digest, status, verdict, job_id, at, received_at, body "
          "FROM events LEFT JOIN bodies USING (seq) ORDER BY seq")
JOBS = "job_id, status, model, created_at, started_at, finished_at, processing_ms, ended"


@dataclass(frozen=True)
class StoredEvent:
    seq: int
    delivery_id: str
    digest: bytes
    status: int | None
    verdict: int
    job_id: str
    at: int
    received_at: int
    body: bytes | None


@dataclass(frozen=True)
class StoredJob:
    job_id: str
    status: int
    model: str | None
    created_at: int | None
    started_at: int | None
    finished_at: int | None
    processing_ms: int | None
    ended: int | None


@dataclass(frozen=True)
class Kept:
    """All events in the order in which they were stored, and all jobs."""

    events: list
    jobs: list


class SQLite:
    name = "SQLite"

    def __init__(self, path):
        self.path = Path(path)
        self.url = f"sqlite://{self.path}"

    def open(self):
        """A connection of one's own, without transactions that begin by themselves."""
        return sqlite3.connect(self.path, isolation_level=None, timeout=10, check_same_thread=False)

    def rows(self, query):
        with contextlib.closing(self.open()) as connection:
            return connection.execute(query).fetchall()

    def kept(self):
        return Kept([StoredEvent(*row) for row in self.rows(f"SELECT {EVENTS}")],
                    [StoredJob(*row) for row in self.rows(f"SELECT {JOBS} FROM jobs")])

    def count(self, where="true"):
        return self.rows(f"SELECT count(*) FROM events WHERE {where}")[0][0]

    def sound(self):
        """Whether SQLite itself finds nothing wrong."""
        return self.rows("PRAGMA integrity_check") == [("ok",)]


class OnPostgres:
    name = "Postgres"

    def __init__(self, postgres, database="jobs"):
        self.postgres, self.database, self.url = postgres, database, postgres.url_of(database)

    def rows(self, query):
        return self.postgres.sql(query, self.database)

    def kept(self):
        number = lambda text: int(text) if text else None  # noqa: E731
        events = [StoredEvent(int(seq), delivery_id, bytes_of(digest), number(status), int(verdict), job_id, int(at),
                              int(received), bytes_of(body) if body else None)
                  for seq, delivery_id, digest, status, verdict, job_id, at, received, body in
                  self.rows(f"SELECT {EVENTS}")]
        jobs = [StoredJob(job_id, int(status), model or None, *map(number, numbers))
                for job_id, status, model, *numbers in self.rows(f"SELECT {JOBS} FROM jobs")]
        return Kept(events, jobs)

    def count(self, where="true"):
        return int(self.rows(f"SELECT count(*) FROM events WHERE {where}")[0][0])

    def sound(self):
        return True

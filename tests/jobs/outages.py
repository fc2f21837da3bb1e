"""What a database can suffer: locked, full, read-only, corrupt, late, gone, restarted, frozen."""

import contextlib
import shutil
import time

from databases import OnPostgres, SQLite
from desk import LONGEST, Desk
from proving import expect
from proving.mounts import Disk
from proving.postgres import ROLE
from room import Room
from wire import Wire

BRIEF = 1.0  # seconds, a lock that nobody should notice
FILLER = 100_000  # bytes of a body, for disks


def desk_at(proof, name, database):
    desk = Desk(proof, Room(proof, name, database.url).start(), database)
    desk.room.lives().open()
    desk.accepted()
    return desk


def proven(desk, what):
    desk.proof.ok(f"{desk.database.name}: {what} (after {desk.recovered()} at most); {desk.settled()}")


def close(desk):
    desk.room.end()
    expect(desk.slowest < LONGEST, f"an answer took {desk.slowest:.1f} s")
    slowest = f"slowest answer of a webhook {desk.slowest:.1f} s"
    desk.proof.ok(f"{desk.database.name}, {desk.room.name}: {slowest}; {desk.room.prober.told()}")


def reads(desk):
    """Jobs and signals are shown, or it is said why not."""
    for target in ("/jobs?limit=1", f"/jobs/job-{desk.room.name}-0"):
        answer = desk.room.ask(target)
        error = None if answer.status == 200 else answer.json()["error"]["code"]
        expect((answer.status, error) in ((200, None), (503, "unavailable")), f"{target}: {answer}")
    expect(desk.room.ask("/signals").status == 200, "/signals")


def locked(desk, lock):
    """`lock()` holds the database: for a moment, and for long."""
    with lock():
        begun = time.monotonic()
        told = desk.event()
        desk.sender.begin(told.delivery)
        desk.ledger.sent(told.delivery, told.job_id, told.status, told.at)
        while time.monotonic() < begun + BRIEF:
            time.sleep(0.05)
    answer = desk.note(told, desk.sender.answer())
    expect(answer.status == 202, f"locked for {BRIEF} s: {answer}")
    with lock():
        desk.refused("locked")
        reads(desk)
    desk.recovers()
    proven(desk, f"locked by somebody else for {BRIEF:.0f} s: accepted once it is free; for long: 503")


# SQLite

def sqlite_locked(proof):
    desk = desk_at(proof, "locked", SQLite(proof.scratch / "locked.db"))
    for kind in ("IMMEDIATE", "EXCLUSIVE"):
        @contextlib.contextmanager
        def lock():
            with contextlib.closing(desk.database.open()) as other:
                other.execute(f"BEGIN {kind}")
                yield
        locked(desk, lock)
    close(desk)


def sqlite_full(proof):
    disk = Disk(proof, "full", 16)
    desk = desk_at(proof, "full-disk", SQLite(disk.path / "jobs.db"))
    for _ in range(2):
        disk.fill()
        desk.refused("full", filler=FILLER)
        reads(desk)
        disk.free()
        desk.recovers()
        proven(desk, "disk full: 503; freed: goes on by itself")
    disk.fill()
    desk.refused("full", filler=FILLER)
    desk.sender.close()
    desk.room.again()
    desk.room.lives()
    disk.free()
    desk.recovers()
    proven(desk, "disk full, killed, started with a full disk, freed: goes on by itself")
    close(desk)


def sqlite_read_only(proof):
    disk = Disk(proof, "read-only", 16)
    desk = desk_at(proof, "read-only-disk", SQLite(disk.path / "jobs.db"))
    for name, kinds in (("killed", ["read_only"]), ("closed", ["read_only", "unreachable"])):
        desk.room.kill()
        if name == "closed":
            # Without its log and their index SQLite cannot open at all, and says no more than that.
            desk.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        disk.read_only()
        desk.sender.close()
        desk.room.start()
        desk.room.lives()
        desk.refused(*kinds)
        reads(desk)
        disk.read_only(False)
        desk.recovers()
        proven(desk, f"a database that was {name}, started on a read-only disk: 503; writable again: goes on by itself")
    close(desk)


def sqlite_corrupt(proof):
    desk = desk_at(proof, "corrupt", SQLite(proof.scratch / "corrupt.db"))
    path = desk.database.path
    for name, damage in (("no database", lambda file: file.write(b"this is no database, whatever its name says" * 10)),
                         ("a page of zeros", lambda file: file.write(bytes(100)))):
        desk.room.end()
        # So that the file alone is the database.
        desk.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        whole = path.with_suffix(".whole")
        shutil.copy(path, whole)
        with open(path, "r+b") as file:
            damage(file)
        desk.sender.close()
        desk.room.start()
        desk.room.lives()
        desk.refused("corrupt")
        reads(desk)
        expect(desk.room.ask("/health").status == 200, "/health")
        for other in ("-wal", "-shm"):
            path.with_name(path.name + other).unlink(missing_ok=True)
        whole.rename(path)
        desk.recovers()
        proven(desk, f"{name} where the database was: up, 503; the file restored: goes on by itself")
    close(desk)


def sqlite_late(proof):
    folder = proof.scratch / "late"
    database = SQLite(folder / "jobs.db")
    desk = Desk(proof, Room(proof, "late-folder", database.url).start(), database)
    desk.room.lives()
    answer = desk.send(desk.event())
    expect(answer.status == 503, f"without a folder for the database: {answer}")
    reads(desk)
    folder.mkdir()
    desk.recovers()
    proven(desk, "started without the folder of its database: 503; made: goes on by itself")
    close(desk)


# Postgres

def postgres_locked(proof, database):
    desk = desk_at(proof, "locked-postgres", database)
    locked(desk, lambda: database.postgres.session("LOCK TABLE events IN ACCESS EXCLUSIVE MODE", database=database.database))
    close(desk)


def postgres_gone(proof, database):
    postgres = database.postgres
    desk = desk_at(proof, "gone", database)
    postgres.restart()
    desk.recovers()
    proven(desk, "restarted: goes on by itself")
    postgres.crash()
    desk.recovers()
    proven(desk, "crashed and recovered: goes on by itself")
    postgres.stop()
    desk.refused("unreachable")
    reads(desk)
    postgres.start()
    desk.recovers()
    proven(desk, "stopped: 503; started: goes on by itself")
    with postgres.frozen():
        answer = desk.send(desk.event())
        expect(answer is not None and answer.status == 503, f"frozen: {answer}")
        reads(desk)
    desk.recovers()
    proven(desk, "frozen: 503 within its time; thawed: goes on by itself")
    close(desk)


def postgres_cut(proof, database):
    wire = Wire(database.postgres.port)
    proof.cleanup.callback(wire.close)
    room = Room(proof, "cut", database.url.replace(f":{database.postgres.port}/", f":{wire.port}/")).start()
    desk = Desk(proof, room, database)
    room.lives().open()
    desk.accepted()
    for _ in range(5):
        wire.cut()
        desk.recovers()
    proven(desk, "its connections cut five times: goes on by itself")
    wire.hold()
    answer = desk.send(desk.event())
    expect(answer is not None and answer.status == 503, f"no replies of the database: {answer}")
    reads(desk)
    wire.release()
    desk.recovers()
    proven(desk, "no replies of the database: 503 within its time; they come: goes on by itself")
    close(desk)
    wire.close()


def postgres_read_only(proof, database):
    postgres = database.postgres
    desk = desk_at(proof, "read-only-postgres", database)
    # For connections that come, and the present ones go.
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'"
    postgres.sql(f"ALTER ROLE {ROLE} SET default_transaction_read_only = on")
    postgres.sql(ended)
    desk.refused("read_only")
    reads(desk)
    postgres.sql(f"ALTER ROLE {ROLE} RESET default_transaction_read_only")
    postgres.sql(ended)
    desk.recovers()
    proven(desk, "read-only: 503; writable again: goes on by itself")
    close(desk)


def postgres_full(proof, postgres):
    disk = Disk(proof, "tablespace", 48)
    folder = disk.path / "pg"
    folder.mkdir()
    shutil.chown(folder, *(postgres.who[key] for key in ("user", "group")))
    postgres.sql(f"CREATE TABLESPACE small LOCATION '{folder}'")
    postgres.create("small", "TABLESPACE small")
    postgres.sql("GRANT CREATE ON TABLESPACE small TO jobs")
    desk = desk_at(proof, "full-postgres", OnPostgres(postgres, "small"))
    disk.fill()
    desk.refused("full", filler=FILLER)
    reads(desk)
    disk.free()
    desk.recovers()
    proven(desk, "disk full: 503; freed: goes on by itself")
    close(desk)


def postgres_late(proof, postgres):
    """A database that nobody has used yet, of a server that is not there yet."""
    postgres.create("late")
    postgres.stop()
    desk = Desk(proof, Room(proof, "late-postgres", postgres.url_of("late")).start(), OnPostgres(postgres, "late"))
    desk.room.lives()
    desk.refused("unreachable")
    reads(desk)
    postgres.start()
    desk.recovers()
    proven(desk, "started before its database: 503; there: goes on by itself")
    close(desk)


def postgres_refused(proof, database):
    postgres = database.postgres
    desk = desk_at(proof, "refused", database)
    postgres.sql(f"ALTER ROLE {ROLE} NOLOGIN")
    postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'")
    desk.refused("refused")
    reads(desk)
    postgres.sql(f"ALTER ROLE {ROLE} LOGIN")
    desk.recovers()
    proven(desk, "refused by the database: 503; let in again: goes on by itself")
    close(desk)

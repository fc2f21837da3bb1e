"""kill -9 between receipt and answer, and between write and answer."""

import contextlib
import http.client
import threading
import time

from desk import Desk
from proving import expect, poll, unread
from proving.sender import Sender
from room import Room
from wire import Wire

IN_FLIGHT = 48
ATTEMPTS = 60  # to meet the moment between write and answer on SQLite, of which about every second one does


class InFlight(threading.Thread):
    """A delivery that has been sent and whose answer is awaited."""

    def __init__(self, desk, told):
        super().__init__(daemon=True)
        self.desk, self.told, self.answer = desk, told, None
        self.sender = Sender(desk.room.port)
        desk.ledger.sent(told.delivery, told.job_id, told.status, told.at)
        self.sender.begin(told.delivery)
        self.start()

    def run(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.answer = self.sender.answer()
        self.desk.note(self.told, self.answer)
        self.sender.close()


def unanswered(desk, lock, is_waiting):
    """With the store locked by somebody else everything that is received waits; then comes the kill."""
    with lock:
        waiting = [InFlight(desk, desk.event()) for _ in range(IN_FLIGHT)]
        poll("the deliveries have been received", is_waiting)
        desk.room.kill()
        for one in waiting:
            one.join(20)
        expect(all(one.answer is None for one in waiting), "an answer came out of a killed process")
    before = desk.database.count()
    desk.back()
    expect(desk.database.count() == before == 1, f"{before} then {desk.database.count()} events, though none but the first was written")
    return f"{desk.database.name}: kill -9 between receipt and write: {len(waiting)} in flight, none kept; {desk.settled()}"


def on_sqlite(proof, database):
    desk = Desk(proof, Room(proof, "killed", database.url).start(), database)
    desk.room.lives().open()
    desk.accepted()

    @contextlib.contextmanager
    def locked():
        with contextlib.closing(database.open()) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    proof.ok(unanswered(desk, locked(), lambda: unread(desk.room.port) == 0))

    hit, attempts = 0, 0
    while not hit:
        attempts += 1
        expect(attempts <= ATTEMPTS, f"no kill in {ATTEMPTS} fell between write and answer")
        before = database.count()
        with contextlib.closing(database.open()) as watch:
            waiting = [InFlight(desk, desk.event()) for _ in range(IN_FLIGHT)]
            deadline = time.monotonic() + 20
            # As soon as anything of it is durable; nothing waits, as answers follow at once.
            while watch.execute("SELECT count(*) FROM events").fetchone()[0] == before and time.monotonic() < deadline:
                pass
            desk.room.kill()
        for one in waiting:
            one.join(20)
        digests = {digest for (digest,) in database.rows("SELECT digest FROM events")}
        hit = sum(one.answer is None and one.told.delivery.digest in digests for one in waiting)
        desk.back()
    written = [one.told for one in waiting if one.answer is None and one.told.delivery.digest in digests]
    for told in written:
        desk.duplicate(told)
    proof.ok(f"{database.name}: kill -9 between write and answer (hit at attempt {attempts}): {hit} were written and not answered, "
             f"sent again they are duplicates; {desk.settled()}")
    desk.room.end()
    proof.ok(f"{database.name}, killed: {desk.room.prober.told()}")


def on_postgres(proof, database):
    wire = Wire(database.postgres.port)
    proof.cleanup.callback(wire.close)
    url = database.url.replace(f":{database.postgres.port}/", f":{wire.port}/")
    desk = Desk(proof, Room(proof, "killed-postgres", url).start(), database)
    desk.room.lives().open()
    desk.accepted()
    locked = database.postgres.session("LOCK TABLE events IN ACCESS EXCLUSIVE MODE", database=database.database)
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    received = lambda: unread(desk.room.port) == 0 and int(database.rows(blocked)[0][0]) > 0  # noqa: E731
    proof.ok(unanswered(desk, locked, received))

    before = database.count()
    wire.hold(after=b"COMMIT")
    one = InFlight(desk, desk.event())
    poll("the commit is under way", wire.held_by_request.is_set)
    poll("Postgres has committed", lambda: database.count() == before + 1)
    desk.room.kill()
    one.join(20)
    expect(one.answer is None, f"answered without the database's word: {one.answer}")
    wire.release()
    desk.back()
    desk.duplicate(one.told)
    proof.ok(f"{database.name}: kill -9 between write and answer: written, not answered, sent again a duplicate; {desk.settled()}")

    # The same without a kill: the answer must not be made up.
    wire.hold(after=b"COMMIT")
    told = desk.event()
    answer = desk.send(told)
    expect(answer is not None and answer.status == 503, f"{answer}, and nobody knows whether it was committed")
    wire.cut()
    wire.release()
    desk.recovers()
    proof.ok(f"{database.name}: a commit without a reply: 503, then recovery; {desk.settled()}")
    desk.room.end()
    proof.ok(f"{database.name}, killed: {desk.room.prober.told()}")
    wire.close()

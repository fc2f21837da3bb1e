"""A sender that notes what it has sent, and what it is owed an acknowledgement for; one room, one database."""

import http.client
import itertools
import random
import time
from dataclasses import dataclass

from ledger import Ledger, explained
from lifecycle import COMPLETED, NAMES
from proving import expect, poll
from proving.sender import Sender, delivery
from room import SECRETS
from story import CANARY

LONGEST = 15  # seconds, for any answer in any trouble: the room itself gives up after 5


@dataclass
class Told:
    """A delivery and what it tells; without `at` where the service decides about the time."""

    delivery: object
    job_id: str
    status: int | None
    at: int | None


class Desk:
    def __init__(self, proof, room, database):
        self.proof, self.room, self.database = proof, room, database
        self.ledger, self.owed, self.numbers = Ledger(), [], itertools.count()
        self.sender = Sender(room.port, timeout=LONGEST)
        self.slowest = self.recovery = 0.0

    def back(self):
        """The room is started again, and its store open; what was connected is not any more."""
        self.sender.close()
        self.room.start()
        self.room.lives().open()

    def event(self, status=COMPLETED, job_id=None, secret=SECRETS[0], filler=0, at=None, header=None, disagrees=False, **facts):
        """A new event, of a job of its own unless one is named, of now unless `at` (seconds since 1970) says another time."""
        number = f"{self.room.name}-{next(self.numbers)}"
        job_id = job_id or f"job-{number}"
        body = {"event": f"job.{NAMES[status]}", "job_id": job_id, "note": f"{CANARY} {number}", **facts}
        if filler:
            body["filler"] = random.randbytes(filler // 2).hex()
        millis = int((time.time() if at is None else at) * 1000) - 5
        made = delivery(secret, body, f"d-{number}", event=header, at=millis / 1000)
        return Told(made, job_id, None if disagrees else status, millis if at is None or at <= time.time() else None)

    def send(self, told, sender=None):
        """Its answer, or None; what is not acknowledged is owed."""
        sender = sender or self.sender
        self.ledger.sent(told.delivery, told.job_id, told.status, told.at)
        asked = time.monotonic()
        try:
            answer = sender.send(told.delivery)
        except (OSError, http.client.HTTPException):
            answer = None
        self.slowest = max(self.slowest, time.monotonic() - asked)
        return self.note(told, answer)

    def note(self, told, answer):
        if not self.ledger.answered(told.delivery, answer):
            if told not in self.owed:
                self.owed.append(told)
        elif told in self.owed:
            self.owed.remove(told)
        return answer

    def accepted(self, told=None, sender=None):
        """A new event is accepted."""
        told = told or self.event()
        answer = self.send(told, sender)
        expect(answer is not None and answer.status == 202, f"{answer} instead of 202")
        body = answer.json()
        expect(body == {"status": "accepted", "delivery_id": told.delivery.id, "job_id": told.job_id}, f"{body}")
        return told

    def duplicate(self, told):
        answer = self.send(told)
        is_known = answer is not None and answer.status == 200 and answer.json()["status"] == "duplicate"
        expect(is_known, f"{answer} instead of a duplicate")

    def acknowledged(self, told):
        answer = self.send(told)
        return answer is not None and answer.status in (200, 202)

    def refused(self, *kinds, filler=0, most=200):
        """Events are accepted until one is not, which is told as it must be: 503, when to come again, and one of `kinds` in
        metrics and log."""
        errors = lambda: sum(map(self.room.store_errors, kinds))  # noqa: E731
        before = errors()
        for _ in range(most):
            answer = self.send(self.event(filler=filler))
            expect(answer is not None, "no answer at all")
            if answer.status != 202:
                break
        expect(answer.status == 503 and answer.json()["error"]["code"] == "unavailable", f"{answer} instead of 503")
        expect(int(answer.headers["Retry-After"]) >= 1, f"Retry-After: {answer.headers['Retry-After']}")
        poll(f"a store error of kind {kinds} in the metrics", lambda: errors() > before)
        poll(f"{kinds} in the log", lambda: any(line.get("kind") in kinds for line in self.room.lines()))

    def settled(self):
        """What is owed is sent until it is acknowledged, as senders do; then everything is there exactly once."""
        for told in list(self.owed):
            poll("an acknowledgement of what was refused", lambda: self.acknowledged(told))
        kept = self.database.kept()
        expect(self.database.sound(), "the database is damaged")
        counts = self.ledger.check(kept)
        explained(kept)
        return counts

    def recovered(self):
        """How long it has taken to recover since this was last asked, in words."""
        took, self.recovery = self.recovery, 0.0
        return f"{took:.1f} s"

    def recovers(self):
        """A further event is accepted, without a restart."""
        further, begun = self.event(), time.monotonic()
        poll("recovery", lambda: self.acknowledged(further))
        self.recovery = max(self.recovery, time.monotonic() - begun)

"""What was sent and what was answered, held against what the store has kept."""

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from lifecycle import DISAGREEMENT, IGNORED, TERMINAL, replay, rounded
from proving import expect

SHOWN = 5  # of a list that should be empty


@dataclass
class Event:
    """One event of a sender: its content, whatever the delivery ids it went under."""

    job_id: str
    status: int | None
    at: int | None
    body: bytes
    ids: set = field(default_factory=set)
    accepted: int = 0  # answers 202
    acknowledged: bool = False  # 202 or 200


class Ledger:
    """By the digest of what was signed."""

    def __init__(self):
        self.lock, self.events, self.answers, self.unexpected = threading.Lock(), {}, Counter(), []

    def sent(self, delivery, job_id, status, at):
        """Before it is sent: from now on it may be in the store."""
        with self.lock:
            event = self.events.setdefault(delivery.digest, Event(job_id, status, at, delivery.body))
            event.ids.add(delivery.id)
            self.answers["sent"] += 1

    def answered(self, delivery, answer):
        """An answer, or None where there was none; whether it was acknowledged."""
        status = answer.status if answer is not None else None
        with self.lock:
            self.answers[status] += 1
            event = self.events[delivery.digest]
            if status in (200, 202):
                event.acknowledged = True
                event.accepted += status == 202
            elif status not in (None, 503):
                self.unexpected.append(f"{answer}")
            elif status == 503 and not answer.headers["Retry-After"]:
                self.unexpected.append(f"without Retry-After: {answer}")
        return status in (200, 202)

    def check(self, kept):
        """Every acknowledged event is there exactly once, and nothing that was never sent; the counts, as text."""
        stored, ids = Counter(row.digest for row in kept.events), Counter(row.delivery_id for row in kept.events)
        doubled = [key for counter in (stored, ids) for key, times in counter.items() if times > 1]
        twice = [event for event in self.events.values() if event.accepted > 1]
        lost = [event for digest, event in self.events.items() if event.acknowledged and digest not in stored]
        extra = sum(digest in stored and not event.acknowledged for digest, event in self.events.items())
        acknowledged = sum(event.acknowledged for event in self.events.values())
        counts = (f"{len(self.events)} events, {self.answers['sent']} deliveries sent; {acknowledged} acknowledged, "
                  f"lost {len(lost)}, doubled {len(doubled) + len(twice)}, unacknowledged but present {extra}")
        expect(not lost, f"{counts}: lost: {lost[:SHOWN]}")
        expect(not doubled, f"{counts}: stored twice: {doubled[:SHOWN]}")
        expect(not twice, f"{counts}: accepted twice: {twice[:SHOWN]}")
        expect(not self.unexpected, f"{counts}: {len(self.unexpected)} other answers: {self.unexpected[:SHOWN]}")
        for row in kept.events:
            event = self.events.get(row.digest)
            expect(event, f"nobody sent what is stored under {row.delivery_id}")
            expect(row.delivery_id in event.ids, f"stored under {row.delivery_id}, sent under {event.ids}")
            told = (row.job_id, row.status, row.at if event.at is not None else None)
            expect(told == (event.job_id, event.status, event.at), f"stored {told}, sent {event}")
            expect(row.body == event.body, f"not the body that was sent under {row.delivery_id}")
        return counts


def explained(kept):
    """Every job is what its events make of it, in the order in which they are stored; how many jobs, and how many ended."""
    events, jobs = defaultdict(list), {job.job_id: job for job in kept.jobs}
    for row in kept.events:
        events[row.job_id].append(row)
    expect(len(jobs) == len(kept.jobs), "a job is there twice")
    strangers = [job_id for job_id in jobs if job_id not in events]
    expect(not strangers, f"jobs without events: {strangers[:SHOWN]}")
    for job_id, rows in events.items():
        stands, verdicts = replay([row.status for row in rows])
        trail = [(row.seq, row.status, row.verdict) for row in rows]
        job = jobs.get(job_id)
        expect((job.status if job else None) == stands, f"{job_id} stands at {job}, its events (seq, status, verdict): {trail}")
        for row, verdict in zip(rows, verdicts):
            right = (DISAGREEMENT, IGNORED) if verdict is None else (verdict,)
            expect(row.verdict in right, f"{job_id}: verdict {row.verdict} instead of {right} at seq {row.seq}: {trail}")
        if job is None:
            continue
        first = next((row.status for row in rows if row.status in TERMINAL), None)
        expect(first is None or job.status == first, f"{job_id} ended as {first} first, and stands at {job.status}: {trail}")
        # The earliest that was told of each; an end, only of how it ended.
        times = [min((row.at for row in rows if row.status == status), default=None) for status in range(4)]
        created, started, finished = times[0], times[1], times[job.status] if job.status in TERMINAL else None
        expect((job.created_at, job.started_at, job.finished_at) == (created, started, finished),
               f"{job_id}: {job} instead of {times}: {trail}")
        took = finished - started if job.status == TERMINAL[0] and started is not None else -1
        expect(job.processing_ms == (rounded(took) if took >= 0 else None), f"{job_id}: {job}, it took {took} ms: {trail}")
    return len(jobs), sum(job.status in TERMINAL for job in kept.jobs)

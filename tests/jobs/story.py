"""Jobs and what is told of them, drawn from a seed: in order and out of it, missing, repeated, contradictory, at odds."""

import heapq
import itertools
import random
import threading
import time
from dataclasses import dataclass

from lifecycle import COMPLETED, CREATED, FAILED, NAMES, PROCESSING
from proving.sender import delivery

MODELS = ("matte-fast", "matte-fine", "upscale-2", "hair", None)
ERRORS = ("OUT_OF_MEMORY", "DECODE_FAILED", "TIMEOUT", "UPLOAD_FAILED")
CANARY = "canary-body-text-77aa"  # in a member that nobody reads
EVENTS_A_JOB = 3.0  # about
LONGEST = 5.0  # seconds, of a job


@dataclass
class Step:
    """One event to be delivered when it is due, seconds on the monotonic clock."""

    due: float
    delivery: object
    job_id: str
    status: int | None
    at: int
    both: bool  # to two connections at once, of different replicas where there are
    insists: bool  # until it is acknowledged, as senders do; or gives up after one failure
    again: str | None  # once acknowledged, sent again: under the "same" id or a "new" one


class Story:
    """Hands out steps in the order in which they are due, `per_second` of them, until `seconds` have passed."""

    def __init__(self, seed, secrets, per_second, seconds):
        self.random, self.secrets, self.lock = random.Random(seed), secrets, threading.Lock()
        self.begun, self.epoch = time.monotonic(), time.time()
        self.gap, self.end = EVENTS_A_JOB / per_second, self.begun + seconds
        self.next_job, self.heap, self.numbers = self.begun, [], itertools.count()
        self.prefix = f"{seed}-{int(self.epoch)}"

    def take(self):
        """The next step, or None when the story is over; what nobody has come to tell by then stays untold."""
        with self.lock:
            if time.monotonic() > self.end + LONGEST:
                return None
            while self.next_job < self.end and (not self.heap or self.next_job <= self.heap[0][0]):
                self._job(self.next_job)
                self.next_job += self.gap
            return self._step(*heapq.heappop(self.heap)) if self.heap else None

    def _job(self, begins):
        """Plans a job's events: when each happens, and when it is told."""
        draw = self.random
        job_id, model = f"job-{self.prefix}-{next(self.numbers)}", draw.choice(MODELS)
        ends = COMPLETED if draw.random() < 0.9 else FAILED
        plan = [(CREATED, 0.0)] * (draw.random() < 0.95) + [(PROCESSING, draw.uniform(0.0, 0.5))] * (draw.random() < 0.95)
        plan.append((ends, draw.uniform(0.5, 2.0)))
        if draw.random() < 0.04:
            plan.append((FAILED if ends == COMPLETED else COMPLETED, draw.uniform(0.5, 2.0)))
        if draw.random() < 0.04:
            plan.append((draw.choice(plan)[0], draw.uniform(2.0, 2.5)))
        shuffled = draw.random() < 0.15
        for status, after in plan:
            told = draw.uniform(after, 2.6) if shuffled else after
            heapq.heappush(self.heap, (begins + told, next(self.numbers), job_id, model, status, begins + after))

    def _step(self, due, number, job_id, model, status, happens):
        draw = self.random
        # Never after it is received, which the service would take for its time.
        at = int((self.epoch + happens - self.begun) * 1000) - 5
        name = f"job.{NAMES[status]}" if status != PROCESSING else draw.choice(("job.started", "job.processing"))
        facts = {"job_id": job_id, "request_id": f"req-{job_id}", "output_format": "webm", "note": f"{CANARY} {number}"}
        if model is not None:
            facts["model"] = model
        if status == FAILED:
            facts["error"] = {"code": draw.choice(ERRORS), "message": "the worker gave up"}
        shape = draw.randrange(4)
        body = ({"event": name, "data": facts}, {"type": name, **facts}, {"status": NAMES[status], **facts},
                {"job": facts})[shape]
        header = name if shape == 3 or draw.random() < 0.8 else None
        if shape != 3 and draw.random() < 0.02:
            header, status = ("job.failed" if status != FAILED else "job.completed"), None
        made = delivery(draw.choice(self.secrets), body, f"d-{self.prefix}-{number}", event=header, at=at / 1000)
        return Step(due, made, job_id, status, at, both=draw.random() < 0.05, insists=draw.random() < 0.9,
                    again=draw.choice(("same", "new")) if draw.random() < 0.1 else None)

"""The service with its job room open, as the proofs start it, and what it is asked."""

import os
import re
import signal
import time

from lifecycle import COMPLETED, FAILED, nearest_rank
from proving import KEY, Replica, ask, expect, poll
from proving.sender import iso
from prober import Prober

SECRETS = ("canary-webhook-secret-0001", "canary-webhook-secret-0002")
WITH_KEY = {"X-Api-Key": KEY}


class Room(Replica):
    """A replica with webhooks and a prober; nothing upstream is configured, which is no business of the room's."""

    all = []  # of this proof

    def __init__(self, proof, name, database_url, **env):
        env = {"PATH": os.environ["PATH"], "API_KEYS": KEY, "RATE_LIMIT_PER_SECOND": "0", "JOB_WEBHOOK_SECRET": ",".join(SECRETS),
               "JOBS_DATABASE_URL": database_url, "SIGNAL_MIN_SAMPLES": "1", **env}
        super().__init__(proof, name, {name: value for name, value in env.items() if value is not None})
        self.prober = Prober(self)
        self.all.append(self)
        proof.cleanup.callback(self.prober.end)

    def start(self, ready=False, **env):
        self.prober.coming()
        return super().start(ready, **env)

    def end(self, how=signal.SIGINT):
        self.prober.going()
        return super().end(how)

    def kill(self):
        self.end(signal.SIGKILL)

    def again(self):
        """Killed, and started at once."""
        self.kill()
        self.start()

    def lives(self):
        def is_up():
            expect(self.child.poll() is None, f"{self.name} does not run")
            return self.prober.up
        poll(f"{self.name} lives", is_up)
        return self

    def open(self):
        """Waits until the store answers."""
        def answers():
            expect(self.child.poll() is None, f"{self.name} does not run")
            try:
                return self.ask("/jobs?limit=1").status == 200
            except OSError:
                return False
        poll(f"the store of {self.name} is open", answers)
        return self

    def ask(self, target, method="GET"):
        return ask(self.port, target, method, headers=WITH_KEY)

    def store_errors(self, kind):
        """How often the store has failed in this way since the start."""
        found = re.search(rf'^infra_health_jobs_store_errors_total{{kind="{kind}"}} (\d+)', self.ask("/metrics").text, re.M)
        return int(found[1]) if found else 0


def signals_agree(room, kept, window):
    """The signals as the room judges them after a start are those of the jobs that are kept; how many samples, in words."""
    begun = time.time()
    room.start(SIGNAL_WINDOW=f"{window}s").lives().open()

    def judged():
        answer = room.ask("/signals").json()
        return answer if answer["evaluated_at"] and answer["current"] else None

    answer = poll("an evaluation of the signals", judged)
    expect(answer["evaluated_at"] >= iso(begun), f"judged before the start: {answer}")
    expect(answer["basis"] == "webhooks", f"{answer}")
    since = (begun - window) * 1000
    ended = [job for job in kept.jobs if job.status in (COMPLETED, FAILED) and job.finished_at >= since]
    failed = sum(job.status == FAILED for job in ended)
    rate, latency = (answer["signals"][name] for name in ("job_failure_rate", "processing_latency_p95"))
    expect(rate["samples"] == len(ended), f"{rate} of {len(ended)} jobs that ended")
    expect(abs(rate["value"] - failed / len(ended)) < 1e-9, f"{rate}: {failed} of {len(ended)} failed")
    by_model = {}
    for job in ended:
        if job.processing_ms is not None:
            by_model.setdefault(job.model, []).append(job.processing_ms)
    named = {model: values for model, values in by_model.items() if model is not None}
    for model, values in named.items():
        seen = latency["models"].get(model)
        expect(seen and seen["samples"] == len(values), f"{model}: {seen} of {len(values)} durations")
        exact = nearest_rank(values, 95)
        expect(abs(seen["value"] - exact / 1000) < 1e-9, f"{model}: {seen}, p95 is {exact} ms")
    return f"failure rate of {len(ended)} jobs, p95 of {sum(map(len, named.values()))} durations of {len(named)} models"

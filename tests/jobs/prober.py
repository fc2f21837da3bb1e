"""Asks `/livez` and `/health` of a replica all the time, and knows when it is up: then every answer must be 200."""

import http.client
import threading
import time

from proving import Answer, expect

PAUSE = 0.01  # seconds
TARGETS = ("/livez", "/health")


class Prober(threading.Thread):
    """From the first answer after `coming()` until `going()` the replica is up; what fails in between is a failure."""

    def __init__(self, replica):
        super().__init__(daemon=True)
        self.replica, self.done = replica, threading.Event()
        self.lock, self.life, self.started, self.up = threading.Lock(), 0, False, False
        self.failures, self.latencies, self.slowest_start = [], [], 0.0
        self.begun = time.monotonic()
        self.start()

    def going(self):
        """It is about to be ended, or has been."""
        with self.lock:
            self.life += 1
            self.started = self.up = False

    def coming(self):
        """It is being started."""
        with self.lock:
            self.life += 1
            self.started, self.begun = True, time.monotonic()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.replica.port, timeout=10)
        while not self.done.is_set():
            for target in TARGETS:
                self._ask(connection, target)
            self.done.wait(PAUSE)
        connection.close()

    def _ask(self, connection, target):
        with self.lock:
            life, up = self.life, self.up
        asked = time.monotonic()
        try:
            connection.request("GET", target)
            answer = Answer(connection.getresponse())
            fault = None if answer.status == 200 else f"{target}: {answer}"
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            fault = f"{target}: {error!r}"
        took = time.monotonic() - asked
        with self.lock:
            if life != self.life:
                return  # it went meanwhile
            if up:
                self.latencies.append(took)
                if fault:
                    self.failures.append(fault)
            elif fault is None and self.started:
                self.up = True
                self.slowest_start = max(self.slowest_start, time.monotonic() - self.begun)

    def told(self):
        """How many were asked, and the slowest, in words; without a failure."""
        ranked, name = sorted(self.latencies), self.replica.name
        expect(not self.failures, f"{len(self.failures)} of {len(ranked)} probes of {name} failed: {self.failures[:3]}")
        expect(len(ranked) > 20, f"only {len(ranked)} probes of {name}")
        p99 = ranked[len(ranked) * 99 // 100]
        return (f"{len(ranked)} probes of {' and '.join(TARGETS)} while it was up, 0 failed, p99 {p99 * 1000:.0f} ms, "
                f"slowest {ranked[-1] * 1000:.0f} ms; from exec to the first answer {self.slowest_start * 1000:.0f} ms at most")

    def end(self):
        self.done.set()
        self.join(15)

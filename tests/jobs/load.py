"""Senders of job webhooks, as real ones are: a story over many connections, again until it is acknowledged."""

import http.client
import random
import threading
import time

from proving import expect
from proving.sender import Sender

SENDERS = 32  # at most so many deliveries are under way, and half as many again of those sent to two at once
PATIENCE = 240  # seconds; on a busy machine the load is behind its time


class Load:
    """Tells `story` to `replicas`, each event to one of them by chance, and notes all in `ledger`."""

    def __init__(self, story, replicas, ledger, seed):
        self.story, self.replicas, self.ledger, self.crash = story, replicas, ledger, None
        self.threads = [threading.Thread(target=self._run, args=(random.Random(f"{seed}-{index}"),), daemon=True)
                        for index in range(SENDERS)]
        self.late = 0.0  # seconds, the most that a first sending was behind

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def wait(self):
        """Until the story is over and everything that was insisted on is acknowledged."""
        for thread in self.threads:
            thread.join(max(0.0, self.story.end + PATIENCE - time.monotonic()))
        expect(self.crash is None, f"a sender: {self.crash!r}")
        left = sum(thread.is_alive() for thread in self.threads)
        expect(left == 0, f"{left} senders still wait for an acknowledgement {PATIENCE} s after the end")

    def _run(self, draw):
        senders = [(Sender(replica.port), Sender(replica.port)) for replica in self.replicas]
        try:
            while (step := self.story.take()) is not None:
                time.sleep(max(0.0, step.due - time.monotonic()))
                self.late = max(self.late, time.monotonic() - step.due)
                self._deliver(step, senders, draw)
        except Exception as error:  # else the others would go on, and nobody know
            self.crash = error
        for pair in senders:
            for sender in pair:
                sender.close()

    def _deliver(self, step, senders, draw):
        sent = step.delivery
        acknowledged, tries = False, 0
        while not acknowledged and (step.insists or tries == 0):
            if tries:
                time.sleep(draw.uniform(0.02, 0.2))
                if draw.random() < 0.1:
                    sent = sent.under(f"{step.delivery.id}-r{tries}")
            tries += 1
            first = draw.randrange(len(senders))
            chosen = [senders[first][0]]
            if step.both:
                chosen.append(senders[(first + 1) % len(senders)][1])
            acknowledged = self._send(step, sent, chosen)
        if acknowledged and step.again:
            sent = sent if step.again == "same" else sent.under(f"{step.delivery.id}-again")
            self._send(step, sent, [draw.choice(senders)[0]])

    def _send(self, step, sent, chosen):
        """Sends to all of `chosen` before the answer of any is read; whether one acknowledged it."""
        waiting = []
        for sender in chosen:
            self.ledger.sent(sent, step.job_id, step.status, step.at)
            try:
                sender.begin(sent)
                waiting.append(sender)
            except (OSError, http.client.HTTPException):
                self.ledger.answered(sent, None)
        acknowledged = False
        for sender in waiting:
            try:
                answer = sender.answer()
            except (OSError, http.client.HTTPException):
                answer = None
            acknowledged |= self.ledger.answered(sent, answer)
        return acknowledged

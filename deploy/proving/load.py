"""Clients that go on asking while something happens to the service."""

import http.client
import threading

from .calls import Answer
from .polling import DEADLINE, expect, poll
from .service import KEY


class Load:
    """Clients that go on asking: `kept` keep their connection, `short` open one for each request, `posts`
    keep theirs and send what no balancer may send twice.

    Every connection sends several times a second, which is more than the once a second that a draining
    service needs to tell it to close. At most clients / PAUSE requests a second.
    """

    PAUSE = 0.05
    GET = ("GET", "/health", {})
    POST = ("POST", "/health/refresh", {"X-Api-Key": KEY})

    def __init__(self, port, kept=12, short=4, posts=0, accept=lambda answer: answer.status == 200):
        self.port, self.accept = port, accept
        clients = [(self.GET, True)] * kept + [(self.GET, False)] * short + [(self.POST, True)] * posts
        self.done, self.failures, self.counts = threading.Event(), [], [0] * len(clients)
        self.threads = [threading.Thread(target=self._client, args=(index, *client), daemon=True)
                        for index, client in enumerate(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.rounds("the load begins")
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join(DEADLINE)

    def _client(self, index, request, keeps):
        method, target, headers = request
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self.done.is_set():
            try:
                connection.request(method, target, headers=headers if keeps else {**headers, "Connection": "close"})
                answer = Answer(connection.getresponse())
                if not self.accept(answer):
                    self.failures.append(f"{method}: {answer}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{method}: {error!r}")
                connection.close()
            self.counts[index] += 1
            self.done.wait(self.PAUSE)
        connection.close()

    def total(self):
        return sum(self.counts)

    def rounds(self, what, rounds=5):
        """Waits until every client has been answered so often again."""
        wanted = [count + rounds for count in self.counts]
        poll(what, lambda: all(count >= want for count, want in zip(self.counts, wanted)))

    def check(self, what):
        expect(not self.failures, f"{what}: {len(self.failures)} of {self.total()} requests failed: {self.failures[:3]}")

"""HTTP calls, and ports to make them to."""

import http.client
import json
import random
import socket
import threading
from pathlib import Path

from .polling import DEADLINE, expect


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def text(self):
        return self.body.decode(errors="replace")

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.text}"


def ask(port, target, method="GET", headers=None, body=None, source=None, timeout=10):
    """One request on a connection of its own; a `body` is sent as JSON, bytes as they are, `source` is the caller's
    address."""
    bound = (source, 0) if source else None
    headers = {"Connection": "close", **(headers or {})}
    if body is not None:
        body = body if isinstance(body, bytes) else json.dumps(body)
        headers = {"Content-Type": "application/json", **headers}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout, source_address=bound)
    try:
        connection.request(method, target, body=body, headers=headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def status_of(port, target, **more):
    """The status, or None where nobody answers."""
    try:
        return ask(port, target, **more).status
    except (OSError, http.client.HTTPException):
        return None


class Call(threading.Thread):
    """A request that is under way; `answer` once it is through, or the error as text."""

    def __init__(self, port, target, method="GET", headers=None):
        super().__init__(daemon=True)
        self.request, self.answer = (port, target, method, headers), None
        self.start()

    def run(self):
        try:
            self.answer = ask(*self.request, timeout=DEADLINE)
        except (OSError, http.client.HTTPException) as error:
            self.answer = repr(error)

    def through(self, status):
        """Waits for the answer, which must have this status."""
        self.join(DEADLINE)
        got = self.answer.status if isinstance(self.answer, Answer) else None
        expect(got == status, f"{self.request[2]} {self.request[1]}: {self.answer} instead of {status}")
        return self.answer


def unread(port):
    """How many connections to a port hold bytes that its process has not read, as the system lists them."""
    wanted, count = f":{port:04X}", 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, queues = line.split()[:5]
        count += local.endswith(wanted) and state == "01" and int(queues.split(":")[1], 16) > 0
    return count


_reserved = []


def free_port():
    """A port that nobody has, and that no other proof on this machine takes: each reserves its own by a name that
    the system frees with the process. Not of the range that the system hands out for port 0."""
    while True:
        port = random.randrange(10_240, 32_000)
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0infra-health-proof-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        _reserved.append(name)
        return port

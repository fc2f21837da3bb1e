"""A sender of job webhooks with whatever is wrong with what it sends, over connections that it keeps and loses."""

import hashlib
import http.client
import json
import time
from dataclasses import dataclass, field

from .calls import Answer
from .webhooks import sign

PATH = "/webhooks/jobs"


def iso(at=None):
    """Seconds since 1970, or now, as the timestamp header has it."""
    seconds, millis = divmod(round((time.time() if at is None else at) * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{millis:03}Z"


@dataclass
class Delivery:
    """One request; `digest` is by what the service tells that it has seen it."""

    headers: dict
    body: bytes
    path: str = PATH
    method: str = field(default="POST")

    @property
    def id(self):
        return self.headers["X-Webhook-Delivery-Id"]

    @property
    def digest(self):
        return hashlib.sha256(self.headers["X-Webhook-Timestamp"].encode() + b"." + self.body).digest()

    def under(self, delivery_id):
        """The same under another delivery id, which the signature does not cover."""
        return Delivery({**self.headers, "X-Webhook-Delivery-Id": delivery_id}, self.body, self.path)

    def with_headers(self, **headers):
        """The same with other headers, their `_` written `-`; None takes one away."""
        changed = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return Delivery({name: value for name, value in changed.items() if value is not None}, self.body, self.path)


def delivery(secret, body, delivery_id, event=None, at=None, timestamp=None):
    """A signed delivery of `body` (bytes, or what becomes JSON), sent at `at` or under just this `timestamp`."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    timestamp = iso(at) if timestamp is None else timestamp
    headers = {
        "Content-Type": "application/json",
        "X-Webhook-Delivery-Id": delivery_id,
        "X-Webhook-Timestamp": timestamp,
        "X-Webhook-Signature": sign(secret, timestamp, body),
    }
    if event is not None:
        headers["X-Webhook-Event"] = event
    return Delivery(headers, body)


class Sender:
    """One connection to a replica, kept, and made anew after a failure."""

    def __init__(self, port, timeout=20):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def begin(self, sent):
        """Sends without waiting for the answer; OSError or HTTPException if nobody is there."""
        try:
            self.connection.request(sent.method, sent.path, body=sent.body, headers=sent.headers)
        except BaseException:
            self.connection.close()
            raise

    def answer(self):
        """The answer to what was begun."""
        try:
            return Answer(self.connection.getresponse())
        except BaseException:
            self.connection.close()
            raise

    def send(self, sent):
        self.begin(sent)
        return self.answer()

    def close(self):
        self.connection.close()

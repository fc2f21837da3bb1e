"""Deliveries of job webhooks, as the API and RunPod send them."""

import datetime
import hashlib
import hmac
import itertools
import json
import os

from .calls import ask
from .polling import expect

SECRET = "proof-webhook-secret-of-the-api"
TOKEN = "proof-token-for-runpods-own-webhook"

# Ids that no other run has: a store may outlive a proof.
_numbers = itertools.count(1)
_RUN = os.urandom(4).hex()


def room(database):
    """The variables with which a service takes both webhooks and keeps jobs in an SQLite file."""
    return {"JOB_WEBHOOK_SECRET": SECRET, "RUNPOD_WEBHOOK_TOKEN": TOKEN, "JOBS_DATABASE_URL": f"sqlite://{database}"}


def new_id(kind):
    return f"{kind}-{_RUN}-{next(_numbers)}"


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")


def sign(secret, timestamp, body):
    """X-Webhook-Signature: over the timestamp as it is sent, a full stop and the raw body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def deliver(port, job, event=None, secret=SECRET, delivery_id=None, **headers):
    """One signed delivery of the API; `job` is its body, `event` the header's if the body shall not name it alone."""
    body, timestamp = json.dumps(job).encode(), now()
    sent = {
        "X-Webhook-Delivery-Id": delivery_id or new_id("delivery"),
        "X-Webhook-Timestamp": timestamp,
        "X-Webhook-Signature": sign(secret, timestamp, body),
        **({"X-Webhook-Event": event} if event else {}),
        **headers,
    }
    return ask(port, "/webhooks/jobs", "POST", sent, body=body)


def deliver_runpod(port, job, token=TOKEN):
    """One of RunPod's own, unsigned: what it knows of a job, at an address that only it knows."""
    return ask(port, f"/webhooks/runpod/{token}", "POST", body=job)


def of_size(size):
    """A body of exactly so many bytes, once it is JSON."""
    job = {"job_id": new_id("job"), "event": "job.progress", "padding": ""}
    return {**job, "padding": "x" * (size - len(json.dumps(job)))}


def no_token(proof):
    """RunPod's token is in none of the logs of a proof."""
    logs = [log for log in proof.scratch.glob("*.log") if TOKEN in log.read_text(errors="replace")]
    expect(not logs, f"the token of RunPod's webhook is in {', '.join(log.name for log in logs)}")


def is_open(port):
    """Whether the store takes deliveries: it is opened in the background."""
    return deliver(port, {"job_id": new_id("job"), "event": "job.created"}).status == 202


def run(port, end="job.completed", model="birefnet", **more):
    """The life of a job, told in signed deliveries, all of them accepted; returns its id. `more` goes into the last."""
    job = {"job_id": new_id("job"), "model": model, "request_id": new_id("req"), "output_format": "mp4"}
    for event, members in (("job.created", {}), ("job.started", {}), (end, more)):
        answer = deliver(port, {**job, "event": event, **members}, event)
        expect(answer.status == 202, f"{event}: {answer}")
    return job["job_id"]


def every_kind(port):
    """Jobs of two models that end in each way, and deliveries with each result that needs no fault of the store."""
    run(port)
    run(port, model="modnet")
    for code in ("cuda_oom", "bad_input"):
        run(port, "job.failed", error={"code": code, "message": "proof"})
    told = {"id": new_id("runpod"), "delayTime": 40, "executionTime": 88, "status": "COMPLETED"}
    another = {**told, "id": new_id("runpod"), "status": "CANCELLED"}
    job = {"job_id": new_id("job")}
    answers = (
        (200, deliver_runpod(port, told)),
        (200, deliver_runpod(port, told)),
        (200, deliver_runpod(port, another)),
        (202, deliver(port, {**job, "event": "job.progress"})),
        (202, deliver(port, {**job, "event": "job.completed"}, "job.failed")),
        (400, deliver(port, {"event": "job.started"})),
        (401, deliver(port, {**job, "event": "job.started"}, secret="not-the-secret-of-it")),
        (404, deliver_runpod(port, another, token="x" * len(TOKEN))),
    )
    for status, answer in answers:
        # Of refused ones only so many are looked at.
        expect(answer.status in (status, 429 if status >= 400 else status), f"not {status}: {answer}")

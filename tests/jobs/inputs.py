"""What senders do wrong, and what those do who are none."""

import gzip
import json
import socket
import time

import signing
from desk import Desk
from exchanges import exchange, head, raw, refused
from lifecycle import COMPLETED, CREATED, FAILED, PROCESSING
from proving import ask, expect
from proving.sender import delivery, iso
from room import SECRETS, Room

MINUTE, HOUR, MIB = 60, 3600, 1 << 20
TOKEN = "canary-runpod-token-0123456789-abcdefgh"


def clocks(proof, desk):
    now = time.time()
    for name, shift in (("4 min ahead", 4 * MINUTE), ("exact", 0), ("23 h late", -23 * HOUR)):
        answer = desk.send(desk.event(at=now + shift))
        expect(answer.status == 202, f"a clock {name}: {answer}")
    for name, shift in (("6 min ahead", 6 * MINUTE), ("25 h late", -25 * HOUR)):
        refused(desk, f"a clock {name}", desk.event(at=now + shift).delivery, 401, "invalid_signature")
    body = json.dumps({"job_id": "clock", "status": "completed"}).encode()
    # As Python's isoformat, as Node's toISOString, without a zone, with an offset.
    for stamp in (iso().replace("Z", "+00:00"), iso(), iso()[:19], iso()[:19] + "Z", iso(now + 2 * HOUR)[:19] + "+02:00"):
        told = desk.event()
        told.delivery = delivery(SECRETS[0], body, told.delivery.id, timestamp=stamp)
        told.job_id, told.at = "clock", None
        answer = desk.send(told)
        expect(answer.status in (200, 202), f"the timestamp {stamp}: {answer}")
    for stamp in ("", "yesterday", str(int(now)), "2026-13-01T00:00:00Z", iso()[:10], iso() + "Z"):
        sent = delivery(SECRETS[0], body, "d-clock", timestamp=stamp)
        refused(desk, f"the timestamp {stamp!r}", sent, 401, "invalid_signature")
    proof.ok("clocks: 4 min ahead and 23 h late accepted, 6 min ahead and 25 h late 401; five spellings of ISO 8601; "
             f"{desk.settled()}")


def replays(proof, desk):
    told = desk.accepted()
    before = desk.database.count()
    for again in (told.delivery, told.delivery.under("d-replay-1"), told.delivery.under("d-replay-2"),
                  told.delivery.under("d-replay-3").with_headers(X_Webhook_Event="job.failed")):
        desk.duplicate(type(told)(again, told.job_id, told.status, told.at))
    other = desk.event().delivery.under(told.delivery.id)
    answer = exchange(desk.room.port, other)
    expect(answer.status == 200 and answer.json()["status"] == "duplicate", f"another event under a known id: {answer}")
    expect(desk.database.count() == before, "a replay was kept")
    proof.ok("replayed under other delivery ids, and another event under a known one: 200 duplicate, no effect; "
             f"{desk.settled()}")


def trails(proof, desk):
    """What changes a job and what does not, by what the service tells of it."""
    def trail(job_id, *steps):
        for status, more in steps:
            desk.accepted(desk.event(status, job_id=job_id, **more))
        answer = desk.room.ask(f"/jobs/{job_id}").json()
        return answer["status"], [one["status"] for one in answer["transitions"]], [one["kind"] for one in answer["anomalies"]]

    now = time.time() - 60
    altered = trail("altered", (PROCESSING, {}), (COMPLETED, {"header": "job.failed", "disagrees": True}))
    expect(altered == ("processing", ["processing"], ["disagreement"]), f"an altered event header: {altered}")
    late = trail("late", (COMPLETED, {"at": now + 9}), (PROCESSING, {"at": now + 2}), (CREATED, {"at": now}))
    expect(late == ("completed", ["completed"], ["late", "late"]), f"reordered: {late}")
    took = desk.room.ask("/jobs/late").json()["processing_seconds"]
    expect(took == 7, f"reordered: it took {took} s instead of 7")
    ended = trail("ended", (COMPLETED, {}), (FAILED, {}), (COMPLETED, {}))
    expect(ended == ("completed", ["completed"], ["contradiction", "repeated"]), f"contradictory: {ended}")
    # A disagreement alone makes no job.
    desk.accepted(desk.event(COMPLETED, job_id="only-altered", header="job.failed", disagrees=True))
    listed = [job["job_id"] for job in desk.room.ask("/jobs").json()["jobs"]]
    expect("only-altered" not in listed and "late" in listed, f"{listed}")
    proof.ok("an altered event header is flagged and changes no job; reordered and contradictory events leave the first end; "
             f"{desk.settled()}")


def bodies(proof, desk):
    def sent(body, content_type="application/json", **headers):
        made = delivery(SECRETS[0], body, f"d-body-{next(desk.numbers)}")
        return made.with_headers(Content_Type=content_type, **headers)

    good = {"job_id": "body", "status": "completed"}
    text = json.dumps(good).encode()
    deep = b'{"job_id":"deep","status":"completed","data":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    invalid = (400, "invalid_request")
    for name, one, wanted in (
        ("no JSON", sent(b"job_id=1&status=completed"), invalid),
        ("half of a JSON", sent(text[:-5]), invalid),
        ("JSON and more", sent(text + b"}"), invalid),
        ("empty", sent(b""), invalid),
        ("no UTF-8", sent(b'{"job_id":"a\xff","status":"completed"}'), invalid),
        ("a JSON array", sent(b"[" + text + b"]"), invalid),
        ("deep JSON", sent(deep), invalid),
        ("no job id", sent({"status": "completed"}), invalid),
        ("a job id too long", sent({**good, "job_id": "j" * 129}), invalid),
        ("a job id with a line break", sent({**good, "job_id": "a\nb"}), invalid),
        ("a job id with NUL", sent({**good, "job_id": "a\0b"}), invalid),
        ("no event at all", sent({"job_id": "body"}), invalid),
        ("no delivery id", sent(good).with_headers(X_Webhook_Delivery_Id=None), invalid),
        ("a delivery id too long", sent(good).under("d" * 129), invalid),
        ("a delivery id with a space", sent(good).under("a b"), invalid),
        ("text/plain", sent(good, "text/plain"), (415, "unsupported_media_type")),
        ("a form", sent(good, "application/x-www-form-urlencoded"), (415, "unsupported_media_type")),
        ("no content type", sent(good, None), (415, "unsupported_media_type")),
        ("gzip", sent(gzip.compress(text), Content_Encoding="gzip"), (415, "unsupported_media_type")),
        ("1 MiB and a byte", sent(text + b" " * (MIB + 1 - len(text))), (413, "payload_too_large")),
        ("10 MB", sent(text + b" " * 10_000_000), (413, "payload_too_large")),
    ):
        refused(desk, name, one, *wanted)
    # A chunked one does not say how much comes.
    made = sent(good)
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    answer = raw(desk.room.port, head(made, "Transfer-Encoding: chunked") + chunk * 160 + b"0\r\n\r\n")
    expect(answer is not None and answer.status == 413, f"10 MB in chunks: {answer}")
    for name, more in (("exactly 1 MiB", {"filler": 2}), ("NUL in a model", {"model": "a\0b"}),
                       ("a model of 5,000", {"model": "m" * 5000}), ("numbers", {"credits": 1.5e300}), ("null members", {"model": None, "error": None, "data": None})):
        told = desk.event(**more)
        if name == "exactly 1 MiB":
            body = told.delivery.body
            told.delivery = delivery(SECRETS[0], body + b" " * (MIB - len(body)), told.delivery.id, at=told.at / 1000)
        expect(desk.send(told).status == 202, name)
    told = desk.event()
    told.delivery = told.delivery.with_headers(Content_Type="application/json; charset=utf-8")
    desk.accepted(told)
    proof.ok("21 bodies and 10 MB in chunks refused with 400, 413 or 415 and not kept; 1 MiB, NUL and odd members accepted; "
             f"{desk.settled()}")


def truncated(proof, desk):
    before = desk.database.count()
    cut = desk.event().delivery
    part = head(cut, f"Content-Length: {len(cut.body)}") + cut.body[:-10]
    answer = raw(desk.room.port, part, half_close=True)
    expect(answer is None or answer.status in (400, 408), f"a body that ends early: {answer}")
    with socket.create_connection(("127.0.0.1", desk.room.port)) as gone:
        gone.sendall(part)
    begun = time.monotonic()
    waits = raw(desk.room.port, part)
    took = time.monotonic() - begun
    got = (waits.status, waits.json()["error"]["code"]) if waits else None
    expect(got == (408, "timeout"), f"a body that never ends: {waits}")
    expect(desk.database.count() == before, "a part of a body was kept")
    # The very same delivery, whole, is no duplicate.
    answer = exchange(desk.room.port, cut)
    expect(answer.status == 202, f"the same, whole: {answer}")
    body = json.loads(cut.body)
    desk.ledger.sent(cut, body["job_id"], COMPLETED, None)
    desk.ledger.answered(cut, answer)
    proof.ok(f"truncated bodies: closed or 400, 408 after {took:.0f} s where nothing more comes; not kept; whole it is accepted; "
             f"{desk.settled()}")


def runpod(proof, desk):
    def post(token, body):
        answer = ask(desk.room.port, f"/webhooks/runpod/{token}", "POST", body=body)
        return answer.status, answer.json()

    body = {"id": "rp-1-u1", "status": "COMPLETED", "delayTime": 10, "executionTime": 12_345,
            "output": {"x": "y"}, "input": {"secret": "z"}}
    status, first = post(TOKEN, body)
    expect((status, first["status"]) == (200, "accepted"), f"{status} {first}")
    status, again = post(TOKEN, body)
    expect((status, again["status"]) == (200, "duplicate"), f"{status} {again}")
    job = desk.room.ask("/jobs/rp-1-u1").json()
    expect((job["status"], job["processing_seconds"]) == ("completed", 12.345), f"{job}")
    for wrong in (TOKEN[:-1], TOKEN + "x", "x" * 40):
        status, answer = post(wrong, {**body, "id": "rp-2"})
        expect((status, answer["error"]["code"]) == (404, "not_found"), f"{status} {answer}")
    kept = desk.database.count("job_id = 'rp-1-u1'"), desk.database.count("job_id = 'rp-2'")
    expect(kept == (1, 0), f"{kept}")
    texts = desk.database.rows("SELECT body FROM events JOIN bodies USING (seq) WHERE job_id = 'rp-1-u1'")
    expect(len(texts) == 1 and "output" not in str(texts) and "6f7574707574" not in str(texts), "RunPod's output was kept")
    proof.ok("RunPod's webhook: 200 once stored, then a duplicate; a wrong token is 404 and keeps nothing; its output is not kept")


def all_of(proof, database):
    room = Room(proof, f"inputs-{database.name.lower()}", database.url, RUNPOD_WEBHOOK_TOKEN=TOKEN).start()
    desk = Desk(proof, room, database)
    room.lives().open()
    proof.say(f"{database.name}: what senders do")
    for part in (clocks, replays, trails, bodies, truncated, signing.signatures):
        part(proof, desk)
    runpod(proof, desk)
    room.end()
    proof.ok(f"{database.name}, inputs: {room.prober.told()}")

"""What senders do wrong, and what those do who are none."""

import contextlib
import gzip
import http.client
import json
import socket
import threading
import time

from desk import Desk
from lifecycle import COMPLETED, CREATED, FAILED, PROCESSING
from proving import Answer, ask, expect, poll
from proving.sender import PATH, Delivery, Sender, delivery, iso
from proving.webhooks import sign
from room import SECRETS, Room

MINUTE, HOUR, MIB = 60, 3600, 1 << 20
TOKEN = "canary-runpod-token-0123456789-abcdefgh"
WRONG = "a-secret-that-nobody-has-set"
REREAD = 5  # seconds, within which a changed file is seen


def refused(desk, name, sent, status, code):
    """Refused in so many words, and nothing is kept."""
    before = desk.database.count()
    answer = exchange(desk.room.port, sent)
    got = (answer.status, answer.json()["error"]["code"]) if answer else None
    expect(got == (status, code), f"{name}: {answer} instead of {status} {code}")
    expect(desk.database.count() == before, f"{name}: refused, and kept")


def exchange(port, sent, timeout=60):
    """Writes the request as it is, and reads what comes although not all of it may have been taken."""
    lines = [f"POST {sent.path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", f"Content-Length: {len(sent.body)}"]
    head = "\r\n".join(lines + [f"{name}: {value}" for name, value in sent.headers.items() if value is not None])
    return raw(port, head.encode() + b"\r\n\r\n" + sent.body, timeout=timeout)


def raw(port, data, half_close=False, timeout=60):
    """What is answered to these bytes; None if nothing is."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(connection, method="POST")
        try:
            response.begin()
            return Answer(response)
        except (OSError, http.client.HTTPException):
            return None


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
        refused(desk, f"the timestamp {stamp!r}", delivery(SECRETS[0], body, "d-clock", timestamp=stamp), 401, "invalid_signature")
    proof.ok(f"clocks: 4 min ahead and 23 h late accepted, 6 min ahead and 25 h late 401; five spellings of ISO 8601; {desk.settled()}")


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
    proof.ok(f"replayed under other delivery ids, and another event under a known one: 200 duplicate, no effect; {desk.settled()}")


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
    proof.ok(f"an altered event header is flagged and changes no job; reordered and contradictory events leave the first end; {desk.settled()}")


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
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n" + "".join(f"{n}: {v}\r\n" for n, v in made.headers.items())
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    answer = raw(desk.room.port, head.encode() + b"\r\n" + chunk * 160 + b"0\r\n\r\n")
    expect(answer is not None and answer.status == 413, f"10 MB in chunks: {answer}")
    for name, more in (("exactly 1 MiB", {"filler": 2}), ("NUL in a model", {"model": "a\0b"}), ("a model of 5,000", {"model": "m" * 5000}),
                       ("numbers", {"credits": 1.5e300}), ("null members", {"model": None, "error": None, "data": None})):
        told = desk.event(**more)
        if name == "exactly 1 MiB":
            body = told.delivery.body
            told.delivery = delivery(SECRETS[0], body + b" " * (MIB - len(body)), told.delivery.id, at=told.at / 1000)
        expect(desk.send(told).status == 202, name)
    told = desk.event()
    told.delivery = told.delivery.with_headers(Content_Type="application/json; charset=utf-8")
    desk.accepted(told)
    proof.ok(f"21 bodies and 10 MB in chunks refused with 400, 413 or 415 and not kept; 1 MiB, NUL and odd members accepted; {desk.settled()}")


def truncated(proof, desk):
    before = desk.database.count()
    cut = desk.event().delivery
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(cut.body)}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in cut.headers.items())
    part = head.encode() + b"\r\n" + cut.body[:-10]
    answer = raw(desk.room.port, part, half_close=True)
    expect(answer is None or answer.status in (400, 408), f"a body that ends early: {answer}")
    with socket.create_connection(("127.0.0.1", desk.room.port)) as gone:
        gone.sendall(part)
    begun = time.monotonic()
    waits = raw(desk.room.port, part)
    took = time.monotonic() - begun
    expect(waits is not None and waits.status == 408 and waits.json()["error"]["code"] == "timeout", f"a body that never ends: {waits}")
    expect(desk.database.count() == before, "a part of a body was kept")
    # The very same delivery, whole, is no duplicate.
    answer = exchange(desk.room.port, cut)
    expect(answer.status == 202, f"the same, whole: {answer}")
    body = json.loads(cut.body)
    desk.ledger.sent(cut, body["job_id"], COMPLETED, None)
    desk.ledger.answered(cut, answer)
    proof.ok(f"truncated bodies: closed or 400, 408 after {took:.0f} s where nothing more comes; not kept; whole it is accepted; {desk.settled()}")


def signatures(proof, desk):
    good = desk.event().delivery
    other = desk.event().delivery
    signature = good.headers["X-Webhook-Signature"]
    stamp = good.headers["X-Webhook-Timestamp"]
    for name, sent in (
        ("of another body", good.with_headers(X_Webhook_Signature=other.headers["X-Webhook-Signature"])),
        ("of the body alone", good.with_headers(X_Webhook_Signature=sign(SECRETS[0], "", good.body))),
        ("of another timestamp", good.with_headers(X_Webhook_Timestamp=iso(time.time() - 1))),
        ("by another secret", good.with_headers(X_Webhook_Signature=sign(WRONG, stamp, good.body))),
        ("by no secret", good.with_headers(X_Webhook_Signature=sign("", stamp, good.body))),
        ("missing", good.with_headers(X_Webhook_Signature=None)),
        ("empty", good.with_headers(X_Webhook_Signature="")),
        ("without its prefix", good.with_headers(X_Webhook_Signature=signature.removeprefix("sha256="))),
        ("of another scheme", good.with_headers(X_Webhook_Signature=signature.replace("sha256", "sha1"))),
        ("too short", good.with_headers(X_Webhook_Signature=signature[:-2])),
        ("too long", good.with_headers(X_Webhook_Signature=signature + "00")),
        ("no hex", good.with_headers(X_Webhook_Signature="sha256=" + "zz" * 32)),
        ("without a timestamp", good.with_headers(X_Webhook_Timestamp=None)),
        ("with a changed body", Delivery(good.headers, good.body.replace(b"completed", b"cancelled"))),
    ):
        refused(desk, f"a signature {name}", sent, 401, "invalid_signature")
    # The same, right, is no duplicate of the forgeries.
    answer = exchange(desk.room.port, good)
    expect(answer.status == 202, f"{answer}")
    desk.ledger.sent(good, json.loads(good.body)["job_id"], COMPLETED, None)
    desk.ledger.answered(good, answer)
    for secret in SECRETS:
        desk.accepted(desk.event(secret=secret))
    proof.ok(f"14 wrong signatures: 401, nothing kept; both secrets are valid; {desk.settled()}")


def runpod(proof, desk):
    def post(token, body):
        answer = ask(desk.room.port, f"/webhooks/runpod/{token}", "POST", body=body)
        return answer.status, answer.json()

    body = {"id": "rp-1-u1", "status": "COMPLETED", "delayTime": 10, "executionTime": 12_345, "output": {"x": "y"}, "input": {"secret": "z"}}
    status, first = post(TOKEN, body)
    expect((status, first["status"]) == (200, "accepted"), f"{status} {first}")
    status, again = post(TOKEN, body)
    expect((status, again["status"]) == (200, "duplicate"), f"{status} {again}")
    job = desk.room.ask("/jobs/rp-1-u1").json()
    expect((job["status"], job["processing_seconds"]) == ("completed", 12.345) or abs(job["processing_seconds"] - 12.345) < 0.07, f"{job}")
    for wrong in (TOKEN[:-1], TOKEN + "x", "x" * 40):
        status, answer = post(wrong, {**body, "id": "rp-2"})
        expect((status, answer["error"]["code"]) == (404, "not_found"), f"{status} {answer}")
    kept = desk.database.count("job_id = 'rp-1-u1'"), desk.database.count("job_id = 'rp-2'")
    expect(kept == (1, 0), f"{kept}")
    texts = desk.database.rows("SELECT body FROM events JOIN bodies USING (seq) WHERE job_id = 'rp-1-u1'")
    expect(len(texts) == 1 and "output" not in str(texts) and "6f7574707574" not in str(texts), "RunPod's output was kept")
    proof.ok("RunPod's webhook: 200 once stored, then a duplicate; a wrong token is 404 and keeps nothing; its output is not kept")


def rotation(proof, database):
    file = proof.scratch / "secret"
    names = ("canary-rotated-secret-one", "canary-rotated-secret-two")

    def write(text):
        made = file.with_suffix(".new")
        made.write_text(text)
        made.rename(file)

    write(names[0])
    room = Room(proof, "rotated", database.url, JOB_WEBHOOK_SECRET=None, JOB_WEBHOOK_SECRET_FILE=str(file))
    desk = Desk(proof, room.start(), database)
    room.lives().open()
    faults, stop, phase = [], threading.Event(), {"secret": names[0]}

    def goes_on():
        """A sender whose secret is valid all the time."""
        sender = Sender(room.port)
        while not stop.wait(0.02):
            told = desk.event(secret=phase["secret"])
            answer = desk.send(told, sender)
            if answer is None or answer.status != 202:
                faults.append(str(answer))
        sender.close()

    thread = threading.Thread(target=goes_on, daemon=True)
    thread.start()

    def until(secret, status):
        begun = time.monotonic()
        def seen():
            made = desk.event(secret=secret)
            answer = exchange(room.port, made.delivery)
            if answer.status == 202:
                desk.ledger.sent(made.delivery, made.job_id, made.status, made.at)
                desk.ledger.answered(made.delivery, answer)
            return answer.status == status
        poll(f"{status} for a rotated secret", seen, every=0.1)
        return time.monotonic() - begun

    until(names[1], 401)
    write(",".join(names))
    added = until(names[1], 202)
    phase["secret"] = names[1]
    time.sleep(0.1)  # what the sender has under way by the first secret
    write(names[1])
    gone = until(names[0], 401)
    write("")
    emptied = time.monotonic()
    while time.monotonic() < emptied + REREAD + 1:
        desk.accepted(desk.event(secret=names[1]))
        time.sleep(0.2)
    stop.set()
    thread.join(20)
    expect(not faults, f"deliveries under a valid secret failed: {faults[:3]}")
    expect(max(added, gone) <= REREAD + 1, f"seen after {added:.1f} and {gone:.1f} s")
    proof.ok(f"secret rotated mid-flight: both valid after {added:.1f} s, the old one refused after {gone:.1f} s, an emptied file keeps "
             f"the last; a sender with a valid one lost nothing; {desk.settled()}")
    room.end()
    proof.ok(f"rotated: {room.prober.told()}")


def flood(proof, database):
    room = Room(proof, "flooded", database.url, RATE_LIMIT_PER_SECOND="5", RATE_LIMIT_BURST="10")
    room.prober.done.set()  # the limit is its, too
    desk = Desk(proof, room.start(), database)
    poll("it is ready", lambda: room.child.poll() is None and livez(room.port))
    poll("the store is open", lambda: room.ask("/jobs?limit=1").status == 200, every=0.5)
    before, seen = desk.database.count(), []
    bad = desk.event(secret=WRONG).delivery
    sender = Sender(room.port)
    for index in range(300):
        answer = sender.send(bad)
        seen.append(answer.status)
        if answer.status == 429:
            expect(int(answer.headers["Retry-After"]) >= 1 and answer.json()["error"]["code"] == "rate_limited", f"{answer}")
        if index % 10 == 0:
            desk.accepted()
    sender.close()
    expect(set(seen) == {401, 429} and seen.index(429) <= 40, f"{seen}")
    expect(livez(room.port), "/livez")
    kept = desk.database.count() - before
    expect(kept == 30, f"{kept} events of 30 kept")
    proof.ok(f"300 invalid signatures: {seen.count(401)} times 401, then {seen.count(429)} times 429, 30 valid ones between them accepted; {desk.settled()}")
    room.end()


def livez(port):
    with contextlib.suppress(OSError):
        return ask(port, "/livez").status == 200
    return False


def all_of(proof, database):
    room = Room(proof, f"inputs-{database.name.lower()}", database.url, RUNPOD_WEBHOOK_TOKEN=TOKEN).start()
    desk = Desk(proof, room, database)
    room.lives().open()
    proof.say(f"{database.name}: what senders do")
    for part in (clocks, replays, trails, bodies, truncated, signatures):
        part(proof, desk)
    runpod(proof, desk)
    room.end()
    proof.ok(f"{database.name}, inputs: {room.prober.told()}")

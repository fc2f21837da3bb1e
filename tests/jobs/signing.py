"""Signatures that are wrong, secrets that change, and floods."""

import json
import threading
import time

from desk import Desk
from exchanges import exchange, livez, refused
from lifecycle import COMPLETED
from proving import expect, poll
from proving.sender import Delivery, Sender, iso
from proving.webhooks import sign
from room import SECRETS, Room

WRONG = "a-secret-that-nobody-has-set"
REREAD = 5  # seconds, within which a changed file is seen


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
    proof.ok(f"300 invalid signatures: {seen.count(401)} times 401, then {seen.count(429)} times 429, 30 valid ones between them "
             f"accepted; {desk.settled()}")
    room.end()

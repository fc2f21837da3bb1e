#!/usr/bin/env python3
"""Sends one signed job event to infra-health and prints the answer. The standard library alone.

    JOB_WEBHOOK_SECRET=… python3 send.py http://localhost:8080/webhooks/jobs [file with the body]

DELIVERY_ID is the delivery's id; without it a new one. Exit codes: 0 taken, 1 not to be sent again as it is,
75 to be sent again later, with the same id.
"""

import hashlib
import hmac
import json
import os
import sys
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone
from pathlib import Path

secret = os.environ.get("JOB_WEBHOOK_SECRET")
if not secret or len(sys.argv) not in (2, 3):
    print("usage: JOB_WEBHOOK_SECRET=… python3 send.py URL [FILE]", file=sys.stderr)
    sys.exit(2)

event = {
    "event": "job.completed",
    "job_id": f"job_{uuid.uuid4()}",
    "model": "matting-hd",
    "output_format": "webm",
    "request_id": f"req_{uuid.uuid4()}",
}
body = Path(sys.argv[2]).read_bytes() if len(sys.argv) == 3 else json.dumps(event).encode()
timestamp = datetime.now(timezone.utc).isoformat()
# What is signed is what is sent: the body's very bytes, never made a second time.
signature = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()

request = urllib.request.Request(sys.argv[1], data=body, headers={
    "Content-Type": "application/json",
    "X-Webhook-Delivery-Id": os.environ.get("DELIVERY_ID") or str(uuid.uuid4()),
    "X-Webhook-Timestamp": timestamp,
    "X-Webhook-Signature": f"sha256={signature}",
})
try:
    with urllib.request.urlopen(request, timeout=15) as response:
        print(response.status, json.dumps(json.load(response)))
except urllib.error.HTTPError as refused:
    try:
        error = json.load(refused)["error"]
        print(f"{refused.code} {error['code']}: {error['message']} ({error['request_id']})", file=sys.stderr)
    except (ValueError, KeyError):  # a proxy's own answer
        print(refused, file=sys.stderr)
    sys.exit(75 if refused.code in (408, 429) or refused.code >= 500 else 1)
except OSError as error:
    print(f"no answer: {error}", file=sys.stderr)
    sys.exit(75)

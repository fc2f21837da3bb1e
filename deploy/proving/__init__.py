"""What the proofs with real programs share; each `prove` of this repository is made of it.

    polling       what must hold, and waiting for it
    processes     nothing that was started outlives its proof
    proof         one run: its lines, its scratch folder, its processes, its exit code
    environment   the pinned Python and npm packages of a proof, installed once under target/
    calls         HTTP calls, free ports
    service       the real service, built and started
    stand_ins     what it talks to instead of RunPod and R2
    webhooks      what the API and RunPod tell it of jobs
    load          clients that go on asking
    postgres      a real Postgres of one's own, to be crashed, stopped, frozen
    sender        a sender of them that keeps its connections, and sends what is wrong
    mounts        disks of one's own, to be filled and made read-only

Standard library only. What a proof prints: `ok …` a promise that is kept, `-- …` a remark, `not ok …` and the
ends of the logs when one is broken, `SKIPPED: …` when a tool is missing, at last `-- name: N proven`. Exit
codes: 0 proven or skipped, 1 broken, 128 + n ended by signal n.
"""

import os
import sys

# Neither a proof nor what it starts may leave compiled files in the sources.
sys.dont_write_bytecode = True
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

from .calls import Answer, Call, ask, free_port, status_of, unread  # noqa: E402
from .environment import in_venv, npm_modules  # noqa: E402
from .load import Load  # noqa: E402
from .paths import REPO, SANDBOX, SERVICE, TARGET  # noqa: E402
from .polling import Failed, expect, poll  # noqa: E402
from .proof import Proof  # noqa: E402
from .service import KEY, Replica, build  # noqa: E402
from .stand_ins import Sandbox, Silent  # noqa: E402
from . import webhooks  # noqa: E402

__all__ = [
    "KEY", "REPO", "SANDBOX", "SERVICE", "TARGET",
    "Answer", "Call", "Failed", "Load", "Proof", "Replica", "Sandbox", "Silent",
    "ask", "build", "expect", "free_port", "in_venv", "npm_modules", "poll", "status_of", "unread", "webhooks",
]

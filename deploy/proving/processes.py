"""Nothing that was started outlives its proof, whatever ends that.

Every process is ended by its id, and an id is only ever taken from the kernel's list of this process' own
children: ids are used again, and others run the same programs on the same machine. Orphans become children
of the proof, so workers of a server that was killed, or a browser's helpers, are on that list, too.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# SIGINT first, with which the service ends without a drain.
STEPS = ((signal.SIGINT, 3), (signal.SIGKILL, 10))  # signal, seconds


def adopt_orphans():
    """Whatever loses its parent becomes a child of this process."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("the system cannot hand orphans over (PR_SET_CHILD_SUBREAPER)")


def exit_on_signals():
    """Being told to end raises SystemExit, also in the background of a shell, which ignores SIGINT there."""

    def leave(number, _):
        # Once is enough: a second one must not cut the cleaning up off.
        ignore_signals()
        sys.exit(128 + number)

    for one in SIGNALS:
        signal.signal(one, leave)


def ignore_signals():
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)


def descendants():
    """Ids of the children of this process, of theirs, and so on."""
    found, parents = set(), [os.getpid()]
    while parents:
        for listed in Path(f"/proc/{parents.pop()}/task").glob("*/children"):
            # Whoever has ended meanwhile has no children any more.
            with contextlib.suppress(OSError):
                children = {int(word) for word in listed.read_text().split()}
                parents += children - found
                found |= children
    return found


def end_all():
    """Ends all descendants; those that are left in spite of SIGKILL."""
    ignore_signals()
    for how, patience in STEPS:
        told, end = set(), time.monotonic() + patience
        while (left := _reaped(descendants())) and time.monotonic() < end:
            for process in left - told:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, how)
                    # A stopped one hears of it only then.
                    os.kill(process, signal.SIGCONT)
            told |= left
            time.sleep(0.01)
    return left


def _reaped(processes):
    """Those that have not ended."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            processes.discard(ended)
    return processes

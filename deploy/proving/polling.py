"""What must hold, and waiting for it. Nothing sleeps to wait: it polls with a deadline."""

import time

DEADLINE = 60  # seconds, for whatever is waited for; all of it should take a few
EVERY = 0.02  # seconds from one question to the next


class Failed(Exception):
    """A promise that does not hold; its text says which."""


def expect(holds, what):
    if not holds:
        raise Failed(what)


def poll(what, holds, deadline=DEADLINE, every=EVERY):
    """Asks until the answer is true, and returns it; a failure tells `what` and the last answer."""
    end = time.monotonic() + deadline
    while True:
        answer = holds()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {deadline} s (last: {answer!r})")
        time.sleep(every)

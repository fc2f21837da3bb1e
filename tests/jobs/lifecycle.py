"""The life of a job once more, written from the contract and not from the service: what its events must have made of it.

Numbers are those under which the store keeps statuses, verdicts and ends.
"""

CREATED, PROCESSING, COMPLETED, FAILED = range(4)
MOVED, REPEATED, LATE, CONTRADICTION, DISAGREEMENT, IGNORED = range(6)
TERMINAL = (COMPLETED, FAILED)
NAMES = ("created", "processing", "completed", "failed")


def replay(told):
    """Where a job stands after these statuses in the order in which they were stored (None names none), and what each
    was to it."""
    stands, verdicts = None, []
    for status in told:
        if status is None:
            verdicts.append(None)
        elif stands is None or (status > stands and stands not in TERMINAL):
            stands = status
            verdicts.append(MOVED)
        elif status == stands:
            verdicts.append(REPEATED)
        elif status in TERMINAL:
            verdicts.append(CONTRADICTION)
        else:
            verdicts.append(LATE)
    return stands, verdicts


def rounded(millis):
    """To three significant digits, half up."""
    step = 1
    while millis // step >= 1000:
        step *= 10
    return (millis + step // 2) // step * step


def nearest_rank(values, percent):
    """The smallest value that at least so many percent do not exceed."""
    values = sorted(values)
    return values[-(-len(values) * percent // 100) - 1]

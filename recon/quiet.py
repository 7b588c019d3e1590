"""Quiet where a library speaks past Python; it imports nothing of the package."""

import os
import sys
import threading
from contextlib import contextmanager

_lock, _inside, _kept = threading.Lock(), 0, None  # of all threads: they share the standard error


@contextmanager
def silence():
    """Keep off the standard error what a library written in C says there."""
    global _inside, _kept
    with _lock:
        _inside += 1
        if _inside == 1:
            _kept = _hidden()
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _kept is not None:
                os.dup2(_kept, 2)
                os.close(_kept)


def _hidden():
    """A copy of the standard error, which leads nowhere from now on; None where there is none."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (AttributeError, OSError, ValueError):
        return None
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    return kept

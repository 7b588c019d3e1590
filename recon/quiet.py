"""Quiet where a library speaks past Python; it imports nothing of the package."""

import os
import sys
from contextlib import contextmanager


@contextmanager
def silence():
    """Keep off the standard error what a library written in C says there."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)

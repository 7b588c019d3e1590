"""The environment: how much work to do, and which recordings to use. Files that appear whole.

RECON_PROFILE     full (default) or quick: the same code with smaller numbers
RECON_RECORDINGS  a folder of recordings; unset, those that ship
"""

import os
import secrets
from contextlib import contextmanager
from pathlib import Path


def profile():
    """The profile to run, "full" or "quick"; a ValueError if RECON_PROFILE is anything else."""
    value = os.environ.get("RECON_PROFILE", "full")
    if value not in ("full", "quick"):
        raise ValueError(f"RECON_PROFILE must be full or quick, got {value!r}")
    return value


def choose(*, full, quick):
    """`full` or `quick`, whichever the profile asks for: numbers change, code paths never do."""
    return {"full": full, "quick": quick}[profile()]


def recordings():
    """The folder that RECON_RECORDINGS names, or that of the recordings that ship; a Path."""
    name = os.environ.get("RECON_RECORDINGS")
    folder = Path(name).expanduser() if name else Path(__file__).parent / "recordings"
    if not folder.is_dir():
        raise ValueError(f"RECON_RECORDINGS must name a folder, got {str(folder.absolute())!r}")
    return folder


@contextmanager
def replacing(path):
    """A name beside `path` to write a file under, which takes its place when all went well."""
    path = Path(path)
    beside = path.with_name(f".{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def claim(text, holds):
    """Print whether a result is as the text claims."""
    print("holds:" if holds else "DOES NOT HOLD:", text)

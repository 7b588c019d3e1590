"""The only reader of the environment: how much work to do, and which recordings to use.

How a line is said and a file is written stands here too.

RECON_PROFILE     full (default) or quick: the same code with smaller numbers
RECON_RECORDINGS  a folder of recordings; unset, those that ship
RECON_STRICT      1 makes an error of a claim that does not hold, as the tests do; 0 does not
KERAS_DISTRIBUTION_NUM_PROCESSES and others, Keras' own, name the machines that train together
"""

import os
import secrets
import sys
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from recon import checks

PROFILES = ("full", "quick")
NAMES = ("RECON_PROFILE", "RECON_RECORDINGS", "RECON_STRICT")


def profile():
    """The profile to run, "full" or "quick".

    Raises:
        ValueError: if RECON_PROFILE is anything else, or a name begins like these and is none.
    """
    unknown = sorted(name for name in os.environ if name.startswith("RECON_") and name not in NAMES)
    checks.require(not unknown, f"environment must name {', '.join(NAMES)}", ", ".join(unknown))
    value = os.environ.get("RECON_PROFILE", PROFILES[0])
    rule = f"RECON_PROFILE must be one of {', '.join(PROFILES)}"
    checks.require(value in PROFILES, rule, repr(value))
    return value


def cluster():
    """Whether this process is one of several that train together."""
    return "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ


def choose(*, full, quick):
    """`full` or `quick`, whichever the profile asks for: numbers change, code paths never do."""
    return {"full": full, "quick": quick}[profile()]


def say(line):
    """Print a line, in signs that the standard output can show: a name may hold any."""
    code = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(line.encode(code, "backslashreplace").decode(code))


def bar(share, stream):
    """A bar of twenty cells, `share` of them full, in signs that the stream can show.

    >>> import io
    >>> bar(0.25, io.TextIOWrapper(io.BytesIO(), "ascii"))
    '#####...............'
    """
    full, empty = "█", "░"
    try:
        (full + empty).encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        full, empty = "#", "."
    return (full * round(20 * share)).ljust(20, empty)


def recordings():
    """The folder that RECON_RECORDINGS names, or that of the recordings that ship; a Path.

    Raises:
        ValueError: if the folder is missing, not a folder, or holds fewer than three files.
    """
    name = os.environ.get("RECON_RECORDINGS")
    if not name:
        return Path(__file__).parent / "recordings"
    folder = Path(os.path.expanduser(name))  # Path's own fails where there is no such user
    files = filter(Path.is_file, folder.rglob("*") if os.path.isdir(folder) else ())
    looked = f"{name!r}, looked for in {str(folder.absolute())!r}"
    rule = "RECON_RECORDINGS must name a folder with three recordings or more"
    checks.require(len(list(islice(files, 3))) == 3, rule, looked)
    return folder


@contextmanager
def replacing(path):
    """A name beside `path` to write a file under, which takes its place when all went well."""
    beside = path.with_name(f".recon-{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        with suppress(OSError):  # it has its own error where the folder is none
            beside.unlink()


def claim(text, holds):
    """Say whether a result is as the text claims; under RECON_STRICT=1 it is an error if not."""
    strict = os.environ.get("RECON_STRICT", "0")
    checks.require(strict in ("0", "1"), "RECON_STRICT must be 0 or 1", repr(strict))
    print("holds:" if holds else "DOES NOT HOLD:", text)
    if not holds and strict == "1":
        raise AssertionError(text)

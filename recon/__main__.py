"""The front door from the command line: python -m recon restore INPUT... OUTPUT."""

import argparse
import os
import signal
import sys
from pathlib import Path

import recon
from recon import checks, settings

ENDED_BY = []  # signals that arrived; heeded between blocks, for TensorFlow swallows exceptions
EXAMPLE = """\
example:
  python -m recon restore noisy.wav restored.wav
"""


def main(arguments=None):
    """Run the command line; returns the exit status."""
    shape = {"epilog": EXAMPLE, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser(prog="python -m recon", **shape)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    commands.add_parser("networks", help="the networks that ship: what each is for")
    restore = commands.add_parser(
        "restore",
        help="run recordings of any length through a trained network",
        description="Run recordings through a trained network, block by block: the result is\n"
        "that of the whole signal, in bounded memory. Length, sample rate, channels\n"
        "and sample format stay as they are.",
        **shape,
    )
    add = restore.add_argument
    add("--network", default=recon.NETWORK, help="name, or a .keras file (%(default)s)")
    add("--mix", type=float, default=1.0, help="share of the restored signal, 0 to 1 (1)")
    add("--resample", action="store_true", help="convert to the network's rate and back")
    upsample = commands.add_parser("upsample", help="write recordings at a multiple of their rate")
    upsample.add_argument("--factor", type=int, default=4, help="2, 4 or 6 (%(default)s)")
    for command in restore, upsample:
        add = command.add_argument
        add("inputs", nargs="+", metavar="INPUT", help="recordings: WAV, FLAC, OGG, AIFF, ...")
        add("output", metavar="OUTPUT", help="file to write, or a folder for several")
        add("--float", action="store_true", help="write floats, which hold more than full scale")
        add("--partial", action="store_true", help="take what is there of what was cut short")
        add("--overwrite", action="store_true", help="replace what exists")
    options = parser.parse_args(arguments)
    for stream in sys.stdout, sys.stderr:
        if hasattr(stream, "reconfigure"):  # no sign of a name may stop what is done
            stream.reconfigure(errors="replace")
    try:
        if options.command == "networks":
            _say(recon.networks())
            return 0
        return _run(**vars(options))
    except ValueError as error:
        return _refused(error)
    except KeyboardInterrupt:
        print("recon: interrupted, no unfinished file is left", file=sys.stderr)
        return 128 + (*ENDED_BY, signal.SIGINT)[0]


def _run(command, inputs, output, **options):
    """Restore or upsample each input, with a line for each; returns the exit status."""
    inputs = [Path(path) for path in inputs]
    folder = os.path.isdir(output)  # Path.is_dir raises for names that no file can have
    usable = folder or len(inputs) == 1
    checks.require(usable, "output must be a folder for several inputs", repr(output))
    outputs = [Path(output, path.name) if folder else output for path in inputs]
    there = {os.path.realpath(path) for path in inputs}
    for path in outputs:
        rule, found = "output must be a file of its own for each input", repr(str(path))
        own = len(inputs) == 1 or os.path.realpath(path) not in there
        checks.require(own, rule, found)
        there.add(os.path.realpath(path))
    options["subtype"] = "FLOAT" if options.pop("float") else None
    if command == "restore" and len(inputs) > 1:
        options["network"] = recon.load(options["network"])  # once for all
    run = {"restore": recon.restore_file, "upsample": recon.upsample_file}[command]
    status = 0
    for path, output in zip(inputs, outputs, strict=True):
        try:
            _say(run(path, output, progress=_progress, **options))
        except ValueError as error:
            status = _refused(error)
    return status


def _say(line):
    """Print a line; who listened may have gone, and the work goes on."""
    try:
        print(line, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(error):
    print(f"recon: {error}", file=sys.stderr)
    return 1


def _progress(share):
    """A bar that renews itself on a terminal, nothing elsewhere."""
    if ENDED_BY:
        raise KeyboardInterrupt
    if sys.stderr and sys.stderr.isatty():
        bar, end = settings.bar(share, sys.stderr), "\r" if share < 1 else "\n"
        print(f"{bar} {share:4.0%}", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    for number in {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}:
        if signal.getsignal(number) != signal.SIG_IGN:  # as in the background
            signal.signal(number, lambda number, _: ENDED_BY.append(number))
    sys.exit(main())

"""The front door from the command line: python -m recon restore INPUT... OUTPUT."""

import argparse
import signal
import sys
from pathlib import Path

import soundfile

import recon

ENDED_BY = []  # signals that arrived; heeded between blocks, for TensorFlow swallows exceptions


def main(arguments=None):
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m recon")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    commands.add_parser("networks", help="the networks that ship: what each is for")
    restore = commands.add_parser("restore", help="recordings of any length through a network")
    add = restore.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="recordings: WAV, FLAC, OGG, AIFF, ...")
    add("output", metavar="OUTPUT", help="file to write, or a folder for several")
    add("--network", default="denoise", help="name, or a .keras file (%(default)s)")
    add("--mix", type=float, default=1.0, help="share of the restored signal, 0 to 1 (1)")
    add("--resample", action="store_true", help="convert to the network's rate and back")
    add("--subtype", help="of the samples, such as FLOAT, which holds more than full scale")
    add("--overwrite", action="store_true", help="replace what exists")
    options = vars(parser.parse_args(arguments))
    if options.pop("command") == "networks":
        for name, card in recon.networks().items():
            print(f"{name:22} {card['purpose']}")
        return 0
    return _restore(**options)


def _restore(inputs, output, **options):
    """Restore each input, with a line for each; returns the exit status."""
    folder, status = Path(output).is_dir(), 0
    if len(inputs) > 1 and not folder:
        inputs, status = [], _refused(f"output must be a folder for several, got {output!r}")
    for path in inputs:
        target = Path(output, Path(path).name) if folder else output
        try:
            print(recon.restore_file(path, target, progress=_progress, **options))
        except (ValueError, TypeError, OSError, soundfile.SoundFileError) as error:
            status = _refused(error)
        except KeyboardInterrupt:
            _refused("interrupted, no unfinished file is left")
            return 128 + (*ENDED_BY, signal.SIGINT)[0]
    return status


def _refused(error):
    print(f"recon: {error}", file=sys.stderr)
    return 1


def _progress(share):
    """A percentage that renews itself on a terminal, nothing elsewhere."""
    if ENDED_BY:
        raise KeyboardInterrupt
    if sys.stderr.isatty():
        print(f"\r{share:4.0%}", end="\n" if share == 1 else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: ENDED_BY.append(number))
    sys.exit(main())

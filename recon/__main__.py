"""Restore a recording from the command line: python -m recon restore MODEL INPUT OUTPUT."""

import argparse
import os
import signal
import sys
from contextlib import contextmanager

import numpy as np

from recon import audio, framing

BLOCK = 2**16  # samples of all channels together that are read at a time
ENDED_BY = []  # signals that arrived; heeded between blocks, for TensorFlow swallows exceptions
EXAMPLE = """\
example:
  python -m recon restore recon/weights/speech_denoise_8k.keras noisy.wav restored.wav
"""


def main(arguments=None):
    """Run the command line; returns the exit status."""
    shape = {"epilog": EXAMPLE, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser(prog="python -m recon", **shape)
    command = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "restore",
        help="run a recording of any length through a trained network",
        description="Run a recording through a trained network, block by block: the result is\n"
        "that of the whole signal, in bounded memory. Length, sample rate, channels\n"
        "and sample format stay as they are.",
        **shape,
    )
    add = command.add_argument
    add("model", metavar="MODEL", help="network, a .keras file")
    add("input", metavar="INPUT", help="recording: WAV, FLAC, OGG, AIFF, ...")
    add("output", metavar="OUTPUT", help="recording to write; its suffix decides the format")
    add("--resample", action="store_true", help="convert to the network's rate and back")
    add("--float", action="store_true", help="write floats, which hold more than full scale")
    add("--overwrite", action="store_true", help="replace OUTPUT if it exists")
    options = parser.parse_args(arguments)
    try:
        print(restore(options))
    except ValueError as error:
        print(f"recon: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("recon: interrupted, nothing was written", file=sys.stderr)
        return 128 + (*ENDED_BY, signal.SIGINT)[0]
    return 0


def restore(options):
    """Do what the command line asks for; returns one line that says what was done."""
    how = {"subtype": "FLOAT" if options.float else None, "overwrite": options.overwrite}
    with (
        audio.reading(options.input) as source,
        audio.writing(options.output, source, **how) as target,
    ):
        model, rate, channels = _load(options.model), source.samplerate, source.channels
        trained_rate = framing.sample_rate(model) or rate
        if trained_rate != rate and not options.resample:
            found = f"got {rate} Hz (--resample converts it)"
            raise ValueError(f"input must be at the network's {trained_rate} Hz, {found}")
        stream = audio.blocks(source, max(BLOCK // channels, 4096))
        stream = audio.resampled(stream, rate, trained_rate, channels)
        stream = audio.resampled(framing.pieces(model, stream), trained_rate, rate, channels)
        written = exceeding = 0
        for block in _cut(stream, source.frames):
            if ENDED_BY:
                raise KeyboardInterrupt
            exceeding += audio.write(target, block)
            written += len(block)
            _progress(written / source.frames)
    note = ""
    if exceeding:
        clipped = target.subtype not in audio.UNBOUNDED
        kept = "were clipped (--float keeps them)" if clipped else "are kept as they are"
        note = f"; {exceeding} samples exceed full scale and {kept}"
    return f"{options.output}: {source.frames / rate:.1f} s restored{note}"


def _cut(stream, n_samples):
    """Exactly n_samples of a stream: converting a rate back and forth may add or lose a few."""
    for block in stream:
        block = block[:n_samples]
        n_samples -= len(block)
        if len(block):
            yield block
    if n_samples:
        yield np.zeros((n_samples, *block.shape[1:]), np.float32)


def _progress(share):
    """A bar that renews itself on a terminal, nothing elsewhere."""
    if sys.stderr.isatty():
        bar = "█" * int(20 * share)
        end = "\r" if share < 1 else "\n"
        print(f"{bar:░<20s} {share:4.0%}", end=end, file=sys.stderr, flush=True)


def _load(path):
    with _silence():
        from recon import models  # TensorFlow takes seconds to start: only when all else is well

        model = models.load(path)
        model(np.zeros((1, 1, 1), np.float32))
    return model


@contextmanager
def _silence():
    """Keep TensorFlow's greetings, which bypass Python, off the standard error."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


if __name__ == "__main__":
    for number in signal.SIGINT, signal.SIGTERM:
        if signal.getsignal(number) != signal.SIG_IGN:  # as in the background
            signal.signal(number, lambda number, _: ENDED_BY.append(number))
    sys.exit(main())

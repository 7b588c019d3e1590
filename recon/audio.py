"""Recordings in and out, by libsndfile: folders to train on, and files block by block."""

import fnmatch
import hashlib
import os
import re
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import soundfile
import soxr

from recon import settings


def reading(path):
    """Open a recording as a soundfile.SoundFile; a ValueError if there is no such file, it holds no
    samples, or its header says that it was cut short."""
    if not os.path.isfile(path):
        raise ValueError(f"input must be a file, got {str(path)!r}")
    file = soundfile.SoundFile(path)
    if not file.frames:
        raise ValueError(f"input must hold samples, got {str(path)!r}")
    if cut := re.search(r"(?:data|SSND) : \d+ \(should be \d+\)", file.extra_info):
        raise ValueError(f"input must be complete, got {str(path)!r}: {cut[0]}")
    return file


def read_mono(path):
    """(float32 samples [n_samples], sample rate) of a recording, its channels averaged."""
    with reading(path) as file:
        return np.concatenate(list(blocks(file, 2**20))).mean(axis=1), file.samplerate


def blocks(file, block_length):
    """A recording's samples from the first to the last, float32 [n_samples, channels] at a time."""
    if file.tell():
        file.seek(0)
    for start in range(0, file.frames, block_length):
        block = file.read(block_length, dtype="float32", always_2d=True)
        if len(block) < min(block_length, file.frames - start):
            raise ValueError(f"input must be complete, got {file.name!r}: {file.frames} samples")
        yield block


def first_knot(blocks, hold_length):
    """Where the first new value of a recording that is held may stand.

    Args:
        blocks: iterable of arrays [n_samples, channels], in order.
        hold_length: samples per knot; with 1 nothing is looked at.

    Returns:
        int, samples from the start, less than `hold_length`; 0 if nothing ever changes.

    Raises:
        ValueError: if it is not held for that long.
    """
    first, last, start = None, None, 0
    for block in blocks if hold_length > 1 else ():
        steps = np.diff(block, axis=0, prepend=block[:1] if last is None else last)
        changes = start + np.flatnonzero(steps.any(axis=1))
        first = changes[0] if first is None and len(changes) else first
        if len(changes) and ((changes - first) % hold_length).any():
            raise ValueError(f"samples must be held for {hold_length} samples each")
        last, start = block[-1:], start + len(block)
    return int(first or 0) % hold_length


def resampled(stream, sample_rate, target_rate, channels):
    """Convert the rate of a signal that arrives in blocks, as if it were whole.

    Args:
        stream: iterable of float32 arrays [n_samples, channels].
        sample_rate, target_rate: Hz; equal rates change nothing.
        channels: number of them.

    Yields:
        float32 arrays [n_samples, channels]; sample n is at the time n / target_rate.
    """
    if sample_rate == target_rate:
        yield from stream
        return
    resampler = soxr.ResampleStream(sample_rate, target_rate, channels)
    for block in stream:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True)


@contextmanager
def writing(path, source, *, subtype=None, overwrite=False):
    """Create a recording that appears under its name only when it is complete.

    Args:
        path: of the new file; its suffix decides the format.
        source: soundfile.SoundFile to be like, in subtype where the format has it.
        subtype: of the samples, if it shall differ, such as "FLOAT".
        overwrite: whether an existing file may be replaced.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise ValueError(f"output must not exist, got {str(path)!r} (overwrite replaces it)")
    if not path.parent.is_dir():
        raise ValueError(f"output must lie in a folder that exists, got {str(path)!r}")
    kind = path.suffix[1:].upper()
    if kind not in soundfile.available_formats():
        raise ValueError(f"output must end in the suffix of an audio format, got {str(path)!r}")
    if not subtype:
        same = soundfile.check_format(kind, source.subtype)
        subtype = source.subtype if same else soundfile.default_subtype(kind)
    form = source.samplerate, source.channels, subtype, None, kind
    with settings.replacing(path) as beside, soundfile.SoundFile(beside, "w", *form) as file:
        for tag, text in source.copy_metadata().items():
            with suppress(soundfile.SoundFileError):  # a format that has none
                setattr(file, tag, text)
        yield file


def load(folder, *, sample_rate=None):
    """Read every recording in a folder and its subfolders into memory, 230 MB an hour at 16 kHz.

    Channels are averaged, and each recording is scaled to a peak of 1. What is skipped or converted
    is said in a line each.

    Args:
        folder: path of the folder.
        sample_rate: Hz, to convert to; None for the one that most recordings have.

    Returns:
        ({name: float32 array [n_samples]}, sample_rate), names relative to the folder, sorted.
    """
    recordings, rates = {}, {}
    for path in sorted(filter(Path.is_file, Path(folder).rglob("[!.]*"))):
        name = path.relative_to(folder).as_posix()
        try:
            samples, rates[name] = read_mono(path)
        except (ValueError, TypeError, soundfile.SoundFileError) as error:
            print(f"skipped: {name}: {error}")
            continue
        if 1e-4 < (peak := np.abs(samples).max()) < np.inf:  # 1e-4 is the dither of 16 bits
            recordings[name] = samples / peak
        else:
            print(f"skipped: {name}: silent, or not finite")
    if not recordings:
        raise ValueError(f"folder must hold recordings, got {str(folder)!r}")
    sample_rate = sample_rate or Counter(map(rates.get, recordings)).most_common(1)[0][0]
    for name, samples in recordings.items():
        if rates[name] != sample_rate:
            print(f"converted from {rates[name]} to {sample_rate} Hz: {name}")
            recordings[name] = soxr.resample(samples, rates[name], sample_rate)
    return recordings, sample_rate


def split(recordings, *, test=None):
    """Part recordings by file into training, validation and test, the same way every time.

    A tenth of the files, drawn by a hash of their names, is for testing, another tenth for
    validation. No part is empty.

    Args:
        recordings: dict with at least three entries.
        test: pattern of the names of test files, as in `fnmatch`; None for a tenth.

    Returns:
        Three dicts: training, validation, test.
    """
    order = sorted(recordings, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    tenth = -(-len(order) // 10)
    held_out = fnmatch.filter(order, test) if test else order[:tenth]
    others = [name for name in order if name not in set(held_out)]
    if len(others) < 2 or not held_out:
        raise ValueError(f"test must match some of {len(order)} and leave two, got {test!r}")
    cut = min(tenth, len(others) // 2)
    parts = others[cut:], others[:cut], held_out
    return tuple({name: recordings[name] for name in sorted(part)} for part in parts)

"""Recordings into memory: every format that libsndfile reads, as mono at full scale."""

import fnmatch
import hashlib
from pathlib import Path

import numpy as np
import soundfile
from IPython.display import Audio, display


def load(folder):
    """Read every recording in a folder and its subfolders.

    Channels are averaged and each recording is scaled to a peak of 1, so that damage relative to
    full scale is the same for loud and quiet ones. Files that are not audio, and silent ones, are
    skipped with one line that names them; nothing is resampled.

    Args:
        folder: path of the folder.

    Returns:
        ({name: float32 array [n_samples]}, sample_rate_hz), names relative to the folder, sorted.

    Raises:
        ValueError: if nothing in the folder can be used, or the sample rates differ.
    """
    recordings, rates, skipped = {}, {}, []
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        try:
            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            skipped.append(name)
            continue
        mono = samples.mean(axis=1)
        peak = np.abs(mono).max(initial=0)
        if not 0 < peak < np.inf:  # silent, empty, or not finite
            skipped.append(name)
            continue
        recordings[name] = mono / peak
        rates.setdefault(rate, name)
    if skipped:
        print(f"{len(skipped)} files hold no usable audio and are skipped: {', '.join(skipped)}")
    if not recordings:
        raise ValueError(f"folder must hold at least one usable recording, got {str(folder)!r}")
    if len(rates) > 1:
        found = ", ".join(f"{rate} Hz ({name})" for rate, name in rates.items())
        raise ValueError(f"folder must hold recordings of one sample rate, got {found}")
    return recordings, next(iter(rates))


def split(recordings, *, test="*_[0-4].*"):
    """Part recordings by file into training, validation and test, the same way every time.

    Test files are those whose names match `test`: the default is the rule of the Free Spoken Digit
    Dataset, whose files end in an index and keep 0 to 4 for testing. Where no name matches, or all
    do, one file in ten is drawn by a hash of its name. Of the others, one in ten, by hash too, is
    for validation. Every part gets at least one file.

    Args:
        recordings: dict with at least three entries.
        test: pattern of file names, as in `fnmatch`.

    Returns:
        Three dicts: training, validation, test.

    Raises:
        ValueError: if there are fewer than three recordings.
    """
    if len(recordings) < 3:
        raise ValueError(f"recordings must be at least 3 to split, got {len(recordings)}")
    order = sorted(recordings, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    tenth = -(-len(order) // 10)
    held_out = [name for name in order if fnmatch.fnmatch(name.rsplit("/")[-1], test)]
    if not 0 < len(held_out) <= len(order) - 2:
        held_out = order[:tenth]
    others = [name for name in order if name not in set(held_out)]
    parts = others[tenth:] or others[1:], others[:tenth][: len(others) - 1], held_out
    return tuple({name: recordings[name] for name in sorted(part)} for part in parts)


def play(sounds, sample_rate):
    """Show a player for each sound, all at one loudness: an amplitude of 2 is full volume.

    Args:
        sounds: {title: float array, any shape, played in order}.
        sample_rate: Hz.
    """
    for title, sound in sounds.items():
        samples = np.clip(np.ravel(sound) / 2, -1, 1)
        print(title)
        display(Audio(samples, rate=sample_rate, normalize=False))

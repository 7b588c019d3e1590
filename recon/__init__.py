"""Neural Network Audio Reconstruction: restore what noise or a step approximation took away.

    import recon
    restored = recon.restore(samples, sample_rate)
    recon.restore_file("noisy.wav", "restored.wav")
    finer = recon.upsample(samples, 4)
    recon.networks()

The modules, `recon.datasets` and the others, are imported when they are first used.
"""

import functools
import importlib
import json
import os
from itertools import chain, tee
from pathlib import Path

from recon.quiet import silence

HERE = Path(__file__).parent
WEIGHTS = HERE / "weights"
NETWORK = "denoise"  # unless another one is asked for
BLOCK = 2**19  # samples of all channels together that are restored at a time


def __getattr__(name):
    if (HERE / f"{name}.py").is_file() and not name.startswith("_"):
        with silence():
            return importlib.import_module(f"recon.{name}")
    raise AttributeError(f"module 'recon' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *(path.stem for path in HERE.glob("[a-z]*.py"))})


class Networks(dict):
    """{name: card} of the networks that ship; a table where it is shown."""

    def __repr__(self):
        from recon import evaluation

        rows = {
            name: card | card["score"] | {"rates": rates(card.get("sample_rate"))}
            for name, card in self.items()
        }
        columns = {
            "purpose": ("what for", ""),
            "rates": ("rate, Hz", ""),
            "snr_db": ("mean SNR on held-out data, dB", ".1f"),
            "licence": ("data", ""),
        }
        return evaluation.table(rows, columns, heading="network", best_last=False)

    _repr_markdown_ = __repr__


def networks():
    """The networks that ship, {name: card}: what each is for, its rate, its score, its data."""
    paths = sorted(WEIGHTS.glob("*.json"))
    return Networks({path.stem: json.loads(path.read_text()) for path in paths})


def load(network):
    """A trained network.

    Args:
        network: name of one that ships, or path of a .keras file.

    Returns:
        models.Network.

    Raises:
        ValueError: if it is neither.
    """
    if not isinstance(network, str | os.PathLike):
        raise ValueError(f"network must be a name or a path, got {network!r}")
    shipped = WEIGHTS / f"{network}.keras"
    ships = os.path.isfile(shipped)  # Path.is_file raises for names that no file can have
    if not ships and Path(network).suffix != ".keras":
        names = ", ".join(sorted(path.stem for path in WEIGHTS.glob("*.keras")))
        raise ValueError(f"network must be a .keras file or one of {names}, got {str(network)!r}")
    with silence():
        from recon import models

        return models.load(shipped if ships else network)


def restore(samples, sample_rate, *, network=NETWORK, mix=1.0, resample=False):
    """Restore a recording.

    Args:
        samples: finite real array [n_samples] or [n_samples, channels], of any length; each channel
            is restored by itself.
        sample_rate: Hz.
        network: name of one that ships (`networks`), path of a .keras file, or a models.Network.
        mix: share of the restored signal, 0 to 1; the rest stays as it was. 0 changes nothing.
        resample: whether another rate than the network's may be converted to it and back.

    Returns:
        float32 array of the shape of `samples`.

    Raises:
        ValueError: naming the argument, the rule and the value.

    >>> import numpy as np
    >>> restore(np.zeros([100, 2]), 8000).shape
    (100, 2)
    """
    ready = _ready(network, mix, resample, sample_rate)
    return _whole(ready, samples, float(sample_rate), float(mix), 1)


def upsample(samples, factor):
    """A recording at a multiple of its rate: what it may have been between its samples.

    The samples are taken for the knots of a hold and stay as they are; a network restores the rest.

    Args:
        samples: as in `restore`.
        factor: 2, 4 or 6.

    Returns:
        float32 array, `factor` times as long as `samples`.

    Raises:
        ValueError: naming the argument, the rule and the value.

    >>> import numpy as np
    >>> upsample(np.zeros([100, 2]), 4).shape
    (400, 2)
    """
    return _whole(_restorer(factor), samples, 1, 1.0, int(factor))


def restore_file(
    input, output, *, network=NETWORK, mix=1.0, resample=False, partial=False, subtype=None,
    overwrite=False, progress=None,
):  # fmt: skip
    """Restore a recording of any length from file to file, block by block, in bounded memory.

    Length, sample rate and channels stay as they are, tags and sample format where the output's
    format holds them; what does not is said. Samples are 32 bit floats in between.

    Args:
        input, output: paths; the suffix of the output decides the format.
        network, mix, resample: as in `restore`.
        partial: whether an input that was cut short is restored as far as it goes.
        subtype: of the samples, if it shall differ, such as "FLOAT".
        overwrite: whether an existing output may be replaced.
        progress: called with the share that is done, after every block.

    Returns:
        str, one line that says what was done.

    Raises:
        ValueError: naming the argument, the rule and the value; nothing is written then.
    """
    how = {"subtype": subtype, "overwrite": overwrite}
    ready = functools.partial(_ready, network, mix, resample)
    return _files(input, output, ready, mix, 1, partial, progress, how)


def upsample_file(
    input, output, *, factor, partial=False, subtype=None, overwrite=False, progress=None
):
    """Write a recording at a multiple of its rate, block by block, in bounded memory.

    Args:
        input, output, partial, subtype, overwrite, progress: as in `restore_file`.
        factor: as in `upsample`.

    Returns:
        str, one line that says what was done.

    Raises:
        ValueError: naming the argument, the rule and the value; nothing is written then.
    """
    how = {"subtype": subtype, "overwrite": overwrite}
    return _files(input, output, lambda _: _restorer(factor), 1.0, factor, partial, progress, how)


def _restorer(factor):
    """The network that restores a hold of `factor` samples."""
    from recon import checks

    name = f"hold_{checks.number('factor', factor, low=1, whole=True)}"
    known = [key for key in networks() if key.startswith("hold_")]
    rule = f"factor must be one of {', '.join(key[5:] for key in known)}"
    checks.require(name in known, rule, repr(factor))
    return load(name)


def _ready(network, mix, resample, sample_rate):
    """The network, once everything is found to be well; nothing else takes as long."""
    from recon import checks

    sample_rate = checks.number("sample_rate", sample_rate, low=1, high=1e9)
    checks.number("mix", mix, low=0, high=1)
    checks.FLAG("resample", resample)
    ready = load(network) if isinstance(network, str | os.PathLike) else network
    if getattr(ready, "sample_rate", None) is None:
        what = getattr(ready, "purpose", "") or f"no sample rate that is known: {ready!r}"
        raise ValueError(f"network must be for recordings, got one for {what}")
    if _rate(ready, sample_rate) == sample_rate:
        return ready
    rule = f"sample_rate must be the network's, {rates(ready.sample_rate)} Hz"
    rule += ", as a hold does not survive resampling" if ready.hold_length else ", or resample=True"
    checks.require(resample and not ready.hold_length, rule, f"{sample_rate:g} Hz")
    return ready


def rates(sample_rate):
    """The rate of a network in words: one, or a range."""
    if not isinstance(sample_rate, list | tuple):
        return "" if sample_rate is None else f"{sample_rate:,g}"
    low, high = sample_rate
    return "any" if low <= 1 and high >= 1_000_000 else f"{low:,g} to {high:,g}"


def _rate(network, sample_rate):
    """The rate of the network that is next to one."""
    own = network.sample_rate
    low, high = own if isinstance(own, list | tuple) else (own, own)
    return min(max(sample_rate, low), high)


def _whole(network, samples, sample_rate, mix, factor):
    """Samples [n_samples] or [n_samples, channels], checked and restored."""
    import numpy as np

    from recon import checks

    signal = checks.samples("samples", samples, np.float32)
    usable = signal.ndim == 1 or (signal.ndim == 2 and not 0 < len(signal) < signal.shape[1])
    checks.require(usable, "samples must be [n_samples] or [n_samples, channels]", signal.shape)
    if not len(signal):
        return signal
    rows = signal.reshape(len(signal), -1)

    def blocks():
        return (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))

    pieces = _restored(network, blocks, sample_rate, rows.shape, mix, factor)
    return np.concatenate(list(pieces)).reshape(-1, *signal.shape[1:])


def _files(input, output, ready, mix, factor, partial, progress, how):
    """The same from file to file."""
    from recon import audio, checks

    checks.FUNCTION("progress", progress or len)
    exceeding = done = 0
    with audio.reading(input, partial=partial) as source:
        rate, shape = source.samplerate, (source.frames, source.channels)
        network, size = ready(rate), max(BLOCK // source.channels, 4096)
        mix, factor = float(mix), int(factor)  # now that they are known to be numbers
        with audio.writing(output, source, factor=factor, **how) as target:
            blocks = functools.partial(audio.blocks, source, size)
            for piece in _restored(network, blocks, rate, shape, mix, factor):
                exceeding += audio.write(target, piece)
                done += len(piece)
                if progress:
                    progress(done / (factor * source.frames))
        notes = [f"{audio.extent(source)} restored", *audio.lost(source, output)]
    if exceeding:
        kept = "are kept as they are" if target.subtype in audio.UNBOUNDED else "were clipped"
        notes.append(f"{exceeding} samples exceed full scale and {kept}")
    name = str(output) if str(output).isprintable() else repr(str(output))
    return f"{name}: {'; '.join(notes)}"


def _restored(network, blocks, sample_rate, shape, mix, factor):
    """Restored pieces [n_samples, channels] of what blocks() yields, shape[0] samples in all."""
    import numpy as np

    from recon import audio, framing

    (n_samples, channels), rate = shape, _rate(network, sample_rate)
    left, lead, source = factor * n_samples, 0, blocks()
    if factor > 1:
        source = (np.repeat(block, factor, axis=0) for block in source)
    elif network.hold_length:
        lead = -audio.first_knot(source, network.hold_length) % network.hold_length
        source = blocks()
    source, untouched = tee(source)
    if lead:  # begin on a knot, as the network does
        first = next(source)
        source = chain([np.repeat(first[:1], lead, axis=0), first], source)
    stream = audio.resampled(source, sample_rate, rate, channels)
    stream = audio.resampled(framing.pieces(network, stream), rate, sample_rate, channels)

    def missing():  # converting a rate back and forth may lose a few samples, or add some
        yield np.zeros((left, channels), np.float32)

    dry = np.zeros((0, channels), np.float32)
    for piece in chain(stream, missing()):
        piece, lead = piece[lead:], max(0, lead - len(piece))
        piece = piece[:left]
        left -= len(piece)
        while len(dry) < len(piece):
            dry = np.concatenate([dry, next(untouched)])
        if len(piece):
            yield mix * piece + (1 - mix) * dry[: len(piece)]
        dry = dry[len(piece) :]

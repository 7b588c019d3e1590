"""Neural Network Audio Reconstruction: restore what noise or a step approximation took away.

    import recon
    restored = recon.restore(samples, sample_rate)
    recon.restore_file("noisy.wav", "restored.wav")
    recon.networks()

The modules, `recon.datasets` and the others, are imported when they are first used.
"""

import importlib
import json
import os
import sys
from contextlib import contextmanager
from itertools import tee
from pathlib import Path

HERE = Path(__file__).parent
WEIGHTS = HERE / "weights"
NETWORK = "speech_denoise_8k"  # unless another one is asked for
BLOCK = 2**16  # samples of all channels together that are restored at a time


def __getattr__(name):
    if (HERE / f"{name}.py").is_file() and not name.startswith("_"):
        return importlib.import_module(f"recon.{name}")
    raise AttributeError(f"module 'recon' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *(path.stem for path in HERE.glob("[a-z]*.py"))})


class Networks(dict):
    """{name: card} of the networks that ship; a table where it is shown."""

    def __repr__(self):
        from recon import evaluation

        rows = {name: card | {"snr_db": card["score"]["snr_db"]} for name, card in self.items()}
        columns = {
            "purpose": ("what for", ""),
            "sample_rate": ("rate, Hz", ",d"),
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
    shipped = WEIGHTS / f"{network}.keras"
    if not shipped.is_file() and Path(network).suffix != ".keras":
        names = ", ".join(sorted(path.stem for path in WEIGHTS.glob("*.keras")))
        raise ValueError(f"network must be a .keras file or one of {names}, got {str(network)!r}")
    with _silence():  # TensorFlow takes seconds to start, and greets
        from recon import models

        return models.load(shipped if shipped.is_file() else network)


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
    import numpy as np

    from recon import checks

    signal = checks.samples("samples", samples, np.float32)
    if signal.ndim > 2 or (signal.ndim == 2 and 0 < len(signal) < signal.shape[1]):
        rule = "samples must be [n_samples] or [n_samples, channels]"
        raise ValueError(f"{rule}, got {signal.shape}")
    if not len(signal):
        return signal
    rows = signal.reshape(len(signal), -1)
    blocks = (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
    ready = _ready(network, sample_rate, mix, resample)
    return np.concatenate(list(_restored(ready, blocks, sample_rate, rows.shape, mix))).reshape(
        signal.shape
    )


def restore_file(
    input, output, *, network=NETWORK, mix=1.0, resample=False, subtype=None, overwrite=False,
    progress=None,
):  # fmt: skip
    """Restore a recording of any length from file to file, block by block, in bounded memory.

    Length, sample rate, channels and sample format stay as they are.

    Args:
        input, output: paths; the suffix of the output decides the format.
        network, mix, resample: as in `restore`.
        subtype: of the samples, if it shall differ, such as "FLOAT".
        overwrite: whether an existing output may be replaced.
        progress: called with the share that is done, after every block.

    Returns:
        str, one line that says what was done.

    Raises:
        ValueError: naming the argument, the rule and the value; nothing is written then.
    """
    from recon import audio

    exceeding = done = 0
    with (
        audio.reading(input) as source,
        audio.writing(output, source, subtype=subtype, overwrite=overwrite) as target,
    ):
        rate, shape = source.samplerate, (source.frames, source.channels)
        blocks = audio.blocks(source, max(BLOCK // source.channels, 4096))
        ready = _ready(network, rate, mix, resample)
        for block in _restored(ready, blocks, rate, shape, mix):
            exceeding += audio.write(target, block)
            done += len(block)
            if progress:
                progress(done / source.frames)
    notes = [f"{source.frames / rate:.1f} s restored"]
    if subtype is None and target.subtype != source.subtype:
        notes.append(f"written as {target.subtype}")
    if exceeding:
        kept = "are kept as they are" if target.subtype in audio.UNBOUNDED else "were clipped"
        notes.append(f"{exceeding} samples exceed full scale and {kept}")
    return f"{output}: {'; '.join(notes)}"


def _ready(network, sample_rate, mix, resample):
    """The network, once everything is found to be well; nothing else takes as long."""
    from recon import checks

    sample_rate = checks.number("sample_rate", sample_rate, low=1)
    checks.number("mix", mix, low=0, high=1)
    ready = load(network) if isinstance(network, str | os.PathLike) else network
    if getattr(ready, "sample_rate", None) is None:
        what = getattr(ready, "purpose", "") or "no sample rate that is known"
        raise ValueError(f"network must be for recordings, got one for {what}")
    if ready.sample_rate != sample_rate and not resample:
        rule = f"sample_rate must be the network's, {ready.sample_rate} Hz, or resample=True"
        raise ValueError(f"{rule}, got {sample_rate:g} Hz")
    return ready


def _restored(network, blocks, sample_rate, shape, mix):
    """Restored blocks [n_samples, channels], shape[0] samples in all."""
    import numpy as np

    from recon import audio, framing

    (left, channels), rate = shape, network.sample_rate
    blocks, untouched = tee(blocks)
    stream = audio.resampled(blocks, sample_rate, rate, channels)
    stream = audio.resampled(framing.pieces(network, stream), rate, sample_rate, channels)
    dry = np.zeros((0, channels), np.float32)
    for piece in stream:
        piece = piece[:left]  # converting a rate back and forth may add a few samples
        left -= len(piece)
        while len(dry) < len(piece):
            dry = np.concatenate([dry, next(untouched)])
        if not np.isfinite(piece).all():
            raise ValueError(
                f"network must give finite samples, got nan or inf from {network.name!r}"
            )
        if len(piece):
            yield mix * piece + (1 - mix) * dry[: len(piece)]
        dry = dry[len(piece) :]
    if left:  # or lose a few
        yield np.zeros((left, channels), np.float32)


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

"""Neural Network Audio Reconstruction: restore what noise or a step approximation took away.

    import recon
    restored = recon.restore(samples, sample_rate)
    recon.restore_file("noisy.wav", "restored.wav")

The modules, `recon.datasets` and the others, are imported when they are first used.
"""

import importlib
import json
import os
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

HERE = Path(__file__).parent
WEIGHTS = HERE / "weights"
BLOCK = 2**19  # samples of all channels together that are restored at a time
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's errors still raise


@contextmanager
def _quiet():
    """Hide what TensorFlow, a library in C, says on the standard error while it is imported."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def __getattr__(name):
    if (HERE / f"{name}.py").is_file() and not name.startswith("_"):
        with _quiet():
            return importlib.import_module(f"recon.{name}")
    raise AttributeError(f"module 'recon' has no attribute {name!r}")


def networks():
    """The networks that ship, {name: card}: what each is for, its rate, its score, its data."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(WEIGHTS.glob("*.json"))}


def load(network):
    """Load a trained network, a models.Network; nothing that the file holds is ever run.

    Args:
        network: name of one that ships, or path of a .keras file.
    """
    path = WEIGHTS / f"{network}.keras"
    path = path if path.is_file() else Path(network)
    if path.suffix != ".keras" or not path.is_file():
        names = ", ".join(networks())
        raise ValueError(f"network must be a .keras file or one of {names}, got {str(network)!r}")
    with _quiet():
        import keras

        from recon import models, restorers  # noqa: F401  Keras has to know their layers

        return models.as_network(keras.saving.load_model(path, compile=False, safe_mode=True))


def restore(samples, sample_rate, *, network="denoise", mix=1.0, resample=False):
    """Restore a recording.

    Args:
        samples: finite real array [n_samples] or [n_samples, channels], of any length; each channel
            is restored by itself.
        sample_rate: Hz.
        network: name of one that ships (`networks`), path of a .keras file, or a Keras model.
        mix: share of the restored signal, 0 to 1; the rest stays as it was.
        resample: whether another rate than the network's may be converted to it and back.

    Returns:
        float32 array of the shape of `samples`.

    >>> import numpy as np
    >>> restore(np.zeros([100, 2]), 8000).shape
    (100, 2)
    """
    import numpy as np

    from recon import checks

    samples = checks.check_samples(samples)
    rows = samples if samples.ndim == 2 else samples[:, None]
    size = BLOCK // max(1, rows.shape[1])
    blocks = [rows[start : start + size] for start in range(0, len(rows), size)]
    pieces = _restored(lambda: iter(blocks), rows.shape, sample_rate, network, mix, resample)
    return np.concatenate([rows[:0], *pieces]).reshape(samples.shape)


def restore_file(
    input, output, *, network="denoise", mix=1.0, resample=False, progress=None, **options
):
    """Restore a recording of any length from file to file, block by block, in bounded memory.

    Length, sample rate and channels stay as they are, tags and sample format where the output's
    format holds them. What exceeds full scale is clipped, unless the samples are floats.

    Args:
        input, output: paths; the suffix of the output decides the format.
        network, mix, resample: as in `restore`.
        progress: called with the share that is done, after every block.
        options: `subtype` of the samples, such as "FLOAT"; `overwrite`, whether an existing output
            may be replaced.

    Returns:
        str, one line that says what was done.
    """
    from recon import audio

    done = 0
    with audio.reading(input) as source, audio.writing(output, source, **options) as target:
        rate, shape = source.samplerate, (source.frames, source.channels)
        blocks = partial(audio.blocks, source, BLOCK // source.channels)
        for piece in _restored(blocks, shape, rate, network, mix, resample):
            target.write(piece if target.subtype in ("FLOAT", "DOUBLE") else piece.clip(-1, 1))
            done += len(piece)
            if progress:
                progress(done / source.frames)
    return f"{output}: {done / rate:.1f} s restored"


def _restored(blocks, shape, sample_rate, network, mix, resample):
    """Restored pieces [n_samples, channels] of what blocks() yields, of one shape in all."""
    import numpy as np

    from recon import audio, framing, models

    if not 0 <= mix <= 1:
        raise ValueError(f"mix must lie within [0, 1], got {mix}")
    network = models.as_network(network) if hasattr(network, "inputs") else load(network)
    lowest, highest = np.broadcast_to(network.sample_rate or sample_rate, 2)
    rate = np.clip(sample_rate, lowest, highest)
    if rate != sample_rate and (network.hold_length or not resample):
        rule = f"sample_rate must be the network's, {network.sample_rate} Hz"
        rule += "" if network.hold_length else ", or resample=True"  # which would end a hold
        raise ValueError(f"{rule}, got {sample_rate:g}")
    # A network for holds takes the first sample for a knot: repeat it until the next is in step.
    hold_length, (n_samples, channels) = network.hold_length or 1, shape
    lead = -audio.first_knot(blocks(), hold_length) % hold_length
    before = [np.repeat(next(blocks())[:1], lead, axis=0)] if lead else []
    stream = audio.resampled(chain(before, blocks()), sample_rate, rate, channels)
    stream = framing.pieces(framing.Stream(network, mix), stream)
    done = -lead  # the lead is no part of the answer
    for piece in audio.resampled(stream, rate, sample_rate, channels):
        wanted = piece[max(0, -done) : max(0, n_samples - done)]
        done += len(piece)
        if not np.isfinite(wanted).all():
            raise ValueError("restored samples must be finite: is the input, is the network?")
        if len(wanted):
            yield wanted
    if done < n_samples:  # two conversions may lose a few
        yield np.zeros((n_samples - done, channels), np.float32)

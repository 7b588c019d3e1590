"""Seeded, endless pipelines of (corrupted, clean) batches, as Keras trains on them.

Example i of a pipeline depends on (seed, i) alone: not on the batch size, not on the run, not on
how many workers the machine has. Training, validation and test data are three seeds.
"""

import numpy as np
import tensorflow as tf

from recon import checks, corruptors, signals

BLOCK = 256  # examples drawn at a time; batches are cut out of blocks, whatever their size


def noise_reduction(
    batch_size,
    *,
    seed,
    n_samples=256,
    cycles=(1, 32),
    amplitude=(0.05, 1.0),
    phase=(0.0, 2 * np.pi),
    stddev=(0.01, 0.1),
    impulse_rate=(0.0, 0.02),
    impulse_amplitude=0.5,
):
    """Sinusoids in Gaussian noise and impulses; every range is inclusive and uniform.

    Args:
        batch_size: waveforms per batch.
        seed: whole number that names the stream of examples.
        n_samples: frame length, samples.
        cycles: whole cycles per frame, drawn per waveform.
        amplitude: linear amplitude of the sinusoid, drawn per waveform.
        phase: radians, drawn per waveform.
        stddev: linear standard deviation of the Gaussian noise, drawn per waveform.
        impulse_rate: probability of an impulse per sample, drawn per waveform.
        impulse_amplitude: what an impulse adds, with either sign.

    Returns:
        Endless tf.data.Dataset of (corrupted, clean), float32 [batch_size, n_samples, 1].

    Raises:
        ValueError: naming the argument, the rule and the value.

    >>> corrupted, clean = next(iter(noise_reduction(2, seed=1)))
    >>> corrupted.shape
    TensorShape([2, 256, 1])
    """
    clean = _sinusoids(n_samples, cycles, amplitude, phase)
    damage = {"impulse_rate": impulse_rate, "impulse_amplitude": impulse_amplitude}
    return _pipeline(batch_size, seed, clean, corruptors.noise(stddev=stddev, **damage))


@checks.checked(hold_length=checks.HOLD_LENGTHS)
def inverse_quantization(
    batch_size,
    *,
    seed,
    n_samples=100,
    cycles=(1, 9),
    amplitude=(0.05, 1.0),
    phase=(0.0, 0.0),
    hold_length=10,
):
    """Sinusoids quantized in time by a sample-and-hold; every range is inclusive and uniform.

    Args:
        batch_size: waveforms per batch.
        seed: whole number that names the stream of examples.
        n_samples: frame length, samples.
        cycles: whole cycles per frame, drawn per waveform.
        amplitude: linear amplitude of the sinusoid, drawn per waveform.
        phase: radians, drawn per waveform.
        hold_length: samples per knot, one for all, or a range to draw from per waveform; 1 leaves
            the signal as it is.

    Returns:
        Endless tf.data.Dataset of (corrupted, clean), float32 [batch_size, n_samples, 1].

    Raises:
        ValueError: naming the argument, the rule and the value.

    >>> corrupted, clean = next(iter(inverse_quantization(2, seed=1)))
    >>> corrupted.shape
    TensorShape([2, 100, 1])
    """
    clean = _sinusoids(n_samples, cycles, amplitude, phase)
    return _pipeline(batch_size, seed, clean, corruptors.hold(hold_length))


def crops(recordings, batch_size, *, seed, n_samples, damage, gain=(1.0, 1.0), weights=None):
    """Random crops of recordings, upside down half of the time, damaged as they are drawn.

    Every recording of a source is equally likely, and so is every start in it: scores are means
    over files, and no long file rules. A recording shorter than a crop is followed by silence.
    Crops are read where the recordings lie: a corpus that `audio.load` left on disk does not have
    to fit in memory.

    Args:
        recordings: {name: float array [samples]}, as `audio.load` returns them.
        batch_size: crops per batch.
        seed: whole number that names the stream of examples.
        n_samples: crop length, samples.
        damage: what `corruptors.noise` or `corruptors.hold` returns, or any (clean [batch,
            n_samples], seed) -> corrupted of TensorFlow operations.
        gain: range of a factor of each crop, uniform in its logarithm.
        weights: {source: how often it is drawn}, where a name begins with its source and a slash;
            what belongs to none is not drawn. None for one source of all recordings.

    Returns:
        Endless tf.data.Dataset of (corrupted, clean), float32 [batch_size, n_samples, 1].

    Raises:
        ValueError: naming the argument, the rule and the value.
    """
    for name, samples in recordings.items():
        label = f"recordings[{name!r}]"
        checks.samples(label, samples, np.float32, empty=False, shape=("n_samples",))
        kind = np.asarray(samples).dtype
        checks.require(kind.kind == "f", f"{label} must be floats [n_samples]", kind)
    arrays = list(map(np.asarray, recordings.values()))
    weights = {"": 1.0} if weights is None else checks.named("weights", weights, keys=str)
    sources = [
        [i for i, name in enumerate(recordings) if not source or name.startswith(source + "/")]
        for source in weights
    ]
    for source, members in zip(weights, sources, strict=True):
        checks.number(f"weights[{source!r}]", weights[source], low=1e-9)
        checks.require(members, "weights must name sources of recordings", repr(source))
    logits = np.log([list(map(float, weights.values()))])
    files = tf.ragged.constant(sources, tf.int32)

    def cut(which, places):
        block = np.zeros((len(which), n_samples), np.float32)
        for row, samples, place in zip(block, (arrays[i] for i in which), places, strict=True):
            start = int(place * (max(0, len(samples) - n_samples) + 1))
            piece = samples[start : start + n_samples]
            row[: len(piece)] = piece
        return block

    def clean(seed):
        seeds = tf.random.split(seed, 3)
        other_seeds = tf.random.split(seeds[0], 2)
        source = tf.random.stateless_categorical(logits, BLOCK, other_seeds[0])[0]
        first, count = (tf.gather(x, source) for x in (files.row_starts(), files.row_lengths()))
        draws = tf.random.stateless_uniform([BLOCK], seeds[0], None, None, tf.uint32)
        which = tf.gather(files.values, first + tf.cast(draws, tf.int64) % count)
        places = tf.random.stateless_uniform([BLOCK], seeds[1], dtype=tf.float64)
        block = tf.numpy_function(cut, [which, places], tf.float32)
        sign = tf.cast(tf.random.stateless_uniform([BLOCK, 1], seeds[2]) < 0.5, tf.float32)
        gains = signals.uniform(gain, BLOCK, other_seeds[1], logarithmic=True)[:, None]
        return (2 * sign - 1) * gains * tf.ensure_shape(block, [BLOCK, n_samples])

    return _pipeline(batch_size, seed, clean, damage)


def _sinusoids(n_samples, cycles, amplitude, phase):
    """Draws a block of clean sinusoids from a seed."""
    return lambda seed: signals.draw_sinusoids(
        BLOCK, n_samples, seed, cycles=cycles, amplitude=amplitude, phase=phase
    )


def _pipeline(batch_size, seed, draw, damage):
    """Blocks from `draw(seed)`, damaged by `damage(clean, seed)`, cut into batches."""

    def block(index):
        seeds = tf.unstack(tf.random.split(tf.stack([tf.constant(seed, tf.int64), index]), 2))
        clean = draw(seeds[0])
        return corruptors.applied(damage, clean, seeds[1])[..., None], clean[..., None]

    corrupted, clean = block(tf.constant(0, tf.int64))  # what is wrong fails here, in one line
    for name, signal in ("clean", clean), ("damage(...)", corrupted):
        checks.samples(name, signal, np.float32)
    blocks = tf.data.Dataset.counter().map(block, num_parallel_calls=tf.data.AUTOTUNE)
    # rebatch cuts blocks faster, but what it lays together of cuts has TensorFlow complain.
    whole = BLOCK % batch_size == 0
    cut = blocks.rebatch if whole else blocks.unbatch().batch
    batches = cut(batch_size, drop_remainder=True)
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return batches.apply(endless).prefetch(tf.data.AUTOTUNE)


def pairs(name, dataset):
    """The rule of a dataset of (corrupted, clean), floats [batch, n_samples, 1]."""
    spec = dataset.element_spec if isinstance(dataset, tf.data.Dataset) else None
    usable = isinstance(spec, tuple) and len(spec) == 2
    for part in spec if usable else ():
        usable &= isinstance(part, tf.TensorSpec) and part.dtype.is_floating
        usable = usable and part.shape.is_compatible_with([None, None, 1])
    usable = usable and spec[0].shape.is_compatible_with(spec[1].shape)
    rule = f"{name} must be a tf.data.Dataset of (corrupted, clean), floats [batch, n_samples, 1]"
    checks.require(usable, rule, repr(dataset))
    return dataset


@checks.checked(dataset=pairs)
def take(dataset, count):
    """The first `count` examples of a pipeline as two float32 NumPy arrays, to measure on.

    >>> corrupted, clean = take(noise_reduction(32, seed=1), 100)
    >>> corrupted.shape, clean.shape
    ((100, 256, 1), (100, 256, 1))
    """
    examples = dataset.unbatch().batch(count, drop_remainder=True).take(1)
    found = list(examples.as_numpy_iterator())
    checks.require(found, f"dataset must hold {count} examples", "fewer")
    return found[0]


checks.guard(__name__)

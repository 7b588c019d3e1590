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
        cycles: whole cycles per frame.
        amplitude: linear amplitude of the sinusoid.
        phase: radians.
        stddev: linear standard deviation of the Gaussian noise.
        impulse_rate: probability of an impulse per sample.
        impulse_amplitude: what an impulse adds, with either sign.

    Returns:
        Endless tf.data.Dataset of (corrupted, clean), float32 [batch_size, n_samples, 1].

    >>> corrupted, clean = next(iter(noise_reduction(2, seed=1)))
    >>> corrupted.shape
    TensorShape([2, 256, 1])
    """
    impulses = {"impulse_rate": impulse_rate, "impulse_amplitude": impulse_amplitude}
    damage = corruptors.noise(stddev=stddev, **impulses)
    return sinusoids(batch_size, n_samples, cycles, amplitude, phase, seed=seed, damage=damage)


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
        batch_size, seed, n_samples, cycles, amplitude, phase: as in `noise_reduction`.
        hold_length: samples per knot, or a range to draw from per waveform; 1 changes nothing.

    >>> corrupted, clean = next(iter(inverse_quantization(2, seed=1)))
    >>> corrupted.shape
    TensorShape([2, 100, 1])
    """
    damage = corruptors.hold(hold_length)
    return sinusoids(batch_size, n_samples, cycles, amplitude, phase, seed=seed, damage=damage)


def sinusoids(batch_size, n_samples, cycles, amplitude, phase, *, seed, damage):
    """Sinusoids under any damage; every range is inclusive and uniform.

    Args:
        batch_size, n_samples, cycles, amplitude, phase, seed: as in `noise_reduction`.
        damage: callable (clean [batch, n_samples], seed) -> corrupted of TensorFlow operations, as
            `corruptors.noise` and `corruptors.hold` return.
    """
    n_samples, cycles, amplitude, phase = checks.check_signal(n_samples, cycles, amplitude, phase)
    ranges = {"cycles": cycles, "amplitude": amplitude, "phase": phase}

    def clean(seed):
        return signals.draw_sinusoids(BLOCK, n_samples, seed, **ranges)

    return _pipeline(batch_size, seed, clean, damage)


def crops(recordings, batch_size, *, seed, n_samples, damage, gain=(1.0, 1.0)):
    """Random crops of recordings, upside down half of the time, damaged as they are drawn.

    Every recording is equally likely, and so is every start in it. A recording shorter than a crop
    is followed by silence.

    Args:
        recordings: {name: float array [n_samples]}, as `audio.load` returns them.
        batch_size, seed, damage: as in `sinusoids`.
        n_samples: crop length, samples.
        gain: range of a factor of each crop, uniform in its logarithm.
    """
    arrays = list(recordings.values())

    def cut(which, places):
        block = np.zeros((BLOCK, n_samples), np.float32)
        for row, i, place in zip(block, which, places, strict=True):
            start = int(place * (max(0, len(arrays[i]) - n_samples) + 1))
            piece = arrays[i][start : start + n_samples]
            row[: len(piece)] = piece
        return block

    def clean(seed):
        seeds = tf.unstack(tf.random.split(seed, 4))
        which = tf.random.stateless_uniform([BLOCK], seeds[0], 0, len(arrays), tf.int32)
        places = tf.random.stateless_uniform([BLOCK], seeds[1], dtype=tf.float64)
        block = tf.numpy_function(cut, [which, places], tf.float32)
        sign = tf.where(tf.random.stateless_uniform([BLOCK, 1], seeds[2]) < 0.5, 1.0, -1.0)
        gains = signals.uniform(gain, BLOCK, seeds[3], logarithmic=True)[:, None]
        return sign * gains * tf.ensure_shape(block, [BLOCK, n_samples])

    return _pipeline(batch_size, seed, clean, damage)


def _pipeline(batch_size, seed, draw, damage):
    """Blocks from `draw(seed)`, damaged by `damage(clean, seed)`, cut into batches."""

    def block(index):
        seeds = tf.unstack(tf.random.split(tf.stack([tf.constant(seed, tf.int64), index]), 2))
        clean = draw(seeds[0])
        corrupted = tf.ensure_shape(damage(clean, seeds[1]), clean.shape)
        return corrupted[..., None], clean[..., None]

    blocks = tf.data.Dataset.counter().map(block, num_parallel_calls=tf.data.AUTOTUNE)
    # rebatch is faster, but TensorFlow complains of batches that it joins from two blocks.
    cut = blocks.unbatch().batch if BLOCK % batch_size else blocks.rebatch
    return cut(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def take(dataset, count):
    """The first `count` examples of a pipeline as two float32 NumPy arrays, to measure on.

    >>> corrupted, clean = take(noise_reduction(32, seed=1), 100)
    >>> corrupted.shape, clean.shape
    ((100, 256, 1), (100, 256, 1))
    """
    return next(dataset.unbatch().batch(count, drop_remainder=True).as_numpy_iterator())

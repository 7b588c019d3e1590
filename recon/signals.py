"""Clean signals from explicit parameters, and random draws of those parameters.

Everything is native TensorFlow, whole batches at a time, and runs eagerly or inside `tf.data`.
Formulas and distributions: docs/signals.md; seen in section 2 of both notebooks.
"""

from math import log, pi

import tensorflow as tf


def uniform(bounds, count, seed, *, logarithmic=False, whole=False):
    """Draw `count` numbers, uniform over the inclusive range `bounds`.

    Args:
        bounds: (smallest, largest); two equal numbers make a constant.
        count: how many, an int or a scalar tensor.
        seed: int tensor [2]; equal seeds give equal draws.
        logarithmic: draw the logarithm uniformly instead.
        whole: draw whole numbers.
    """
    first, last = bounds
    if logarithmic:
        return tf.exp(uniform((log(first), log(last)), count, seed))
    if whole:
        draws = tf.random.stateless_uniform([count], seed, first, last + 1, tf.int32)
        return tf.cast(draws, tf.float32)
    return first + (last - first) * tf.random.stateless_uniform([count], seed)


def normal(shape, seed):
    """Draw standard normal numbers, by the transform of Box and Muller (1958).

    On whole tensors at a time it is faster than `tf.random.stateless_normal`; float32.
    """
    count = tf.reduce_prod(shape)
    draws = tf.random.stateless_uniform([2, (count + 1) // 2], seed)
    radius, angle = tf.sqrt(-2 * tf.math.log(1 - draws[0])), 2 * pi * draws[1]
    points = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)
    return tf.reshape(points[:count], shape)


def sinusoid(cycles, amplitude, phase, n_samples):
    """A sinusoid per waveform: amplitude sin(2 pi cycles n / n_samples + phase).

    The argument is measured from the nearest crest, so that samples which are zero on paper are
    zero in float32 too.

    Args:
        cycles: cycles per frame, numbers [batch] or one; not necessarily whole.
        amplitude: linear, numbers [batch] or one.
        phase: radians, numbers [batch] or one.
        n_samples: frame length, samples.

    Returns:
        float32 tensor [batch, n_samples].

    >>> sinusoid([1.0], [2.0], [0.0], 4).numpy().tolist()
    [[0.0, 2.0, 0.0, -2.0]]
    """
    numbers = (tf.cast(number, tf.float32) for number in (cycles, amplitude, phase))
    cycles, amplitude, phase = (tf.reshape(number, [-1, 1]) for number in numbers)
    turns = tf.cast(cycles, tf.float64) * tf.range(n_samples, dtype=tf.float64)  # times n_samples
    turns -= n_samples * tf.floor(turns / n_samples)  # exact, and much faster than floormod
    turns = tf.cast(turns / n_samples, tf.float32) + (phase / (2 * pi) - 0.25)
    turns -= tf.round(turns)  # [batch, n_samples], in [-1/2, 1/2]; 0 is a crest
    return amplitude * tf.sin(pi / 2 - 2 * pi * tf.abs(turns))


def draw_sinusoids(count, n_samples, seed, *, cycles, amplitude, phase):
    """Draw sinusoids with a whole number of cycles per frame; ranges are inclusive and uniform.

    Args:
        count: waveforms to draw.
        n_samples: frame length, samples.
        seed: int tensor [2].
        cycles, amplitude, phase: ranges, as in `datasets.noise_reduction`.
    """
    seeds = tf.unstack(tf.random.split(seed, 3))
    cycles = uniform(cycles, count, seeds[0], whole=True)
    amplitude, phase = uniform(amplitude, count, seeds[1]), uniform(phase, count, seeds[2])
    return sinusoid(cycles, amplitude, phase, n_samples)

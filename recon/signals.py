"""Clean signals from explicit parameters, and random draws of those parameters.

Everything is native TensorFlow, whole batches at a time, and runs eagerly or inside `tf.data`.
Formulas and distributions: docs/signals.md; seen in section 2 of both notebooks.
"""

from functools import partial
from math import log, pi, prod

import numpy as np
import tensorflow as tf

from recon import checks


def drawn(rule, kept=False):
    """The rule of what may also be a tensor; its numbers are looked at where they are known. One
    that is `kept` stays a tensor, so that gradients go through it."""

    def either(name, value):
        tensor = isinstance(value, tf.Tensor | tf.Variable)
        if tensor and not hasattr(value, "numpy"):
            return value
        found = rule(name, value.numpy() if tensor else value)
        return value if tensor and kept else found

    return either


def per_waveform(**rule):
    """The rule of one number for all waveforms, or one for each."""
    return drawn(partial(checks.one_or, checks.several, **rule), kept=True)


FLOATS = tf.float32, tf.float64, tf.float16, tf.bfloat16
LARGEST = 2**30  # numbers drawn at a time


def _seed(name, value):
    """The rule of a stateless seed: two whole numbers, of 32 bits if they fit."""
    pair = checks.several(name, value, count=2, low=-(2**63), high=2**63 - 1, whole=True)
    return np.array(pair, np.int32 if max(map(abs, pair)) < 2**31 else np.int64)


SEED = drawn(_seed)


def uniform(bounds, count, seed, *, logarithmic=False, whole=False):
    """Draw `count` numbers, uniform over the inclusive range `bounds`.

    Args:
        bounds: (smallest, largest); two equal numbers make a constant.
        count: how many, an int or a scalar tensor.
        seed: int tensor [2], the stateless seed; equal seeds give equal draws.
        logarithmic: draw the logarithm uniformly instead; both bounds must be above 0.
        whole: draw whole numbers; both ends are included.

    Returns:
        float32 tensor [count].

    Raises:
        ValueError: naming the argument, the rule and the value.
    """
    most = 2**24 if whole else checks.HIGHEST  # what float32 counts, or holds
    low = 1e-30 if logarithmic else -most
    first, last = checks.pair("bounds", bounds, whole=whole, low=low, high=most)
    if logarithmic:
        return tf.exp(uniform((log(first), log(last)), count, seed))
    if whole:
        draws = tf.random.stateless_uniform([count], seed, first, last + 1, tf.int32)
        return tf.cast(draws, tf.float32)
    return first + (last - first) * tf.random.stateless_uniform([count], seed)


def _sizes(name, value):
    """The rule of a shape, whose numbers fit in memory."""
    sizes = checks.several(name, value, low=0, whole=True)
    checks.require(prod(sizes) <= LARGEST, f"{name} must hold {LARGEST:,} numbers or fewer", sizes)
    return sizes


def normal(shape, seed, dtype=tf.float32):
    """Draw standard normal numbers, by the transform of Box and Muller (1958).

    Two uniform numbers make a point of the plane, whose coordinates are independent and normal.
    On whole tensors at a time it is faster than `tf.random.stateless_normal`.

    Args:
        shape: of the result, a list of ints or an int tensor.
        seed: int32 tensor [2], the stateless seed.
        dtype: float type of the result.

    Returns:
        Tensor of that shape and type.
    """
    count = tf.reduce_prod(shape)
    draws = tf.random.stateless_uniform([2, (count + 1) // 2], seed, dtype=dtype)
    radius, angle = tf.sqrt(-2 * tf.math.log(1 - draws[0])), 2 * pi * draws[1]
    points = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)
    return tf.reshape(points[:count], shape)


@checks.checked(cycles=per_waveform(), amplitude=per_waveform(), phase=per_waveform())
def sinusoid(cycles, amplitude, phase, n_samples):
    """A sinusoid per waveform: amplitude sin(2 pi cycles n / n_samples + phase).

    The frame spans exactly `cycles` cycles: sample n_samples would equal sample 0, so there is
    no repeated endpoint. The argument is measured from the nearest crest, so that samples which
    are zero on paper are zero in float32 too.

    Args:
        cycles: cycles per frame, numbers [batch] or one; not necessarily whole.
        amplitude: linear, numbers [batch] or one; 0 is silence.
        phase: radians, numbers [batch] or one.
        n_samples: frame length, samples.

    Returns:
        float32 tensor [batch, n_samples].

    >>> sinusoid([1.0], [2.0], [0.0], 4).numpy().tolist()
    [[0.0, 2.0, 0.0, -2.0]]
    """
    return _sinusoid(cycles, amplitude, phase, n_samples, tf.float64)


def _sinusoid(cycles, amplitude, phase, n_samples, exact):
    """The same; `exact` is a type that holds cycles times n_samples."""
    cycles, amplitude, phase = (
        tf.reshape(tf.cast(value, tf.float32), [-1, 1]) for value in (cycles, amplitude, phase)
    )
    counts = {x.shape[0] for x in (cycles, amplitude, phase)} - {1, None}
    checks.require(len(counts) < 2, "cycles, amplitude, phase must be as many", counts)
    turns = tf.cast(cycles, exact) * tf.range(n_samples, dtype=exact)  # times n_samples
    turns -= n_samples * tf.floor(turns / n_samples)  # exact, and much faster than floormod
    turns = tf.cast(turns / n_samples, tf.float32) + (phase / (2 * pi) - 0.25)
    turns -= tf.round(turns)  # [batch, n_samples], in [-1/2, 1/2]; 0 is a crest
    return amplitude * tf.sin(pi / 2 - 2 * pi * tf.abs(turns))


def draw_sinusoids(count, n_samples, seed, *, cycles, amplitude, phase):
    """Draw sinusoids with a whole number of cycles per frame; ranges are inclusive and uniform.

    Args:
        count: waveforms to draw.
        n_samples: frame length, samples.
        seed: int32 tensor [2].
        cycles: range of whole cycles per frame, within [0, n_samples / 2] (the Nyquist limit).
        amplitude: range of linear amplitudes, at least 0.
        phase: range of phases, radians.

    Returns:
        float32 tensor [count, n_samples].

    Raises:
        ValueError: if a range leaves its limits.
    """
    cycles = checks.pair("cycles", cycles, low=0, high=n_samples // 2, whole=True)
    seeds = tf.unstack(tf.random.split(seed, 3))
    return _sinusoid(
        uniform(cycles, count, seeds[0], whole=True),
        uniform(amplitude, count, seeds[1]),
        uniform(phase, count, seeds[2]),
        n_samples,
        tf.float32 if n_samples <= 4096 else tf.float64,  # whole numbers up to n_samples^2 / 2
    )


checks.guard(
    __name__,
    count=drawn(partial(checks.SIZE, low=0)),
    dtype=partial(checks.that, rule="a float type of TensorFlow", holds=lambda x: x in FLOATS),
    seed=SEED,
    shape=drawn(_sizes),
)

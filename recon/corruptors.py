"""Damage: Gaussian noise, impulse noise, and quantization in time (sample-and-hold).

A corruptor maps a signal [batch, n_samples, ...], its parameters and a seed to a tensor of the same
shape. `noise` and `hold` draw the parameters too, one set per waveform, as the pipelines take them.
Formulas: docs/signals.md.
"""

import numpy as np
import tensorflow as tf

from recon import checks, signals


def add_gaussian_noise(signal, stddev, *, seed):
    """Add white Gaussian noise: signal + stddev * w, with w standard normal.

    Args:
        signal: float32 tensor [batch, n_samples, ...].
        stddev: linear standard deviation, a number or numbers [batch].
        seed: int tensor or pair [2].

    >>> add_gaussian_noise(tf.ones([1, 2]), 0.0, seed=(1, 2)).numpy().tolist()
    [[1.0, 1.0]]
    """
    return signal + _per_waveform(stddev, signal) * signals.normal(tf.shape(signal), seed)


def add_impulse_noise(signal, impulse_rate, impulse_amplitude, *, seed):
    """Hit each sample with probability `impulse_rate`; a hit adds +- `impulse_amplitude`.

    Hits are independent: a Bernoulli process, which is the Poisson process in discrete time.

    Args:
        signal: float32 tensor [batch, n_samples, ...].
        impulse_rate: probability per sample, a number or numbers [batch].
        impulse_amplitude: linear size, a number or numbers [batch].
        seed: int tensor or pair [2].

    >>> tf.abs(add_impulse_noise(tf.zeros([1, 3]), 1.0, 0.5, seed=(1, 2))).numpy().tolist()
    [[0.5, 0.5, 0.5]]
    """
    rate, amplitude = (_per_waveform(x, signal) for x in (impulse_rate, impulse_amplitude))
    # One draw decides both: the lowest half of the rate hits upwards, the next one downwards.
    draw = tf.random.stateless_uniform(tf.shape(signal), seed)
    return signal + tf.where(draw < rate / 2, amplitude, tf.where(draw < rate, -amplitude, 0.0))


def sample_and_hold(signal, hold_length):
    """Quantize in time: y[n] = x[hold_length * floor(n / hold_length)], a zero-order hold.

    The samples kept are the knots; a last hold that the frame cuts short is kept.

    Args:
        signal: tensor [batch, n_samples, ...].
        hold_length: samples per knot, a whole number or whole numbers [batch]; 1 changes nothing.

    >>> sample_and_hold(tf.constant([[1, 2, 3, 4, 5]]), 2).numpy().tolist()
    [[1, 1, 3, 3, 5]]
    """
    samples = tf.range(tf.shape(signal)[1])
    if np.ndim(hold_length) == 0:
        return tf.gather(signal, samples // int(hold_length) * int(hold_length), axis=1)
    lengths = tf.cast(hold_length, tf.int32)[:, None]
    return tf.gather(signal, samples // lengths * lengths, axis=1, batch_dims=1)


def noise(*, stddev, impulse_rate, impulse_amplitude, logarithmic=False):
    """Damage by hiss and impulses, (clean [batch, n_samples], seed) -> corrupted.

    Args:
        stddev, impulse_rate: ranges, as in `datasets.noise_reduction`.
        impulse_amplitude: what an impulse adds, with either sign.
        logarithmic: draw the level uniform in its logarithm: each decade is equally likely.
    """
    stddev, impulse_rate, size = checks.check_noise(stddev, impulse_rate, impulse_amplitude)

    def corrupt(clean, seed):
        seeds = tf.unstack(tf.random.split(seed, 4))
        count = tf.shape(clean)[0]
        levels = signals.uniform(stddev, count, seeds[0], logarithmic=logarithmic)
        rates = signals.uniform(impulse_rate, count, seeds[1])
        noisy = add_gaussian_noise(clean, levels, seed=seeds[2])
        return add_impulse_noise(noisy, rates, size, seed=seeds[3])

    return corrupt


def hold(hold_length):
    """Damage, (clean [batch, n_samples], seed) -> corrupted, that quantizes in time.

    Args:
        hold_length: samples per knot, or a range to draw from per waveform.
    """
    bounds = checks.check_hold(hold_length, several=True)

    def corrupt(clean, seed):
        return sample_and_hold(clean, signals.uniform(bounds, tf.shape(clean)[0], seed, whole=True))

    return corrupt


def _per_waveform(values, signal):
    """One number for all, or one per waveform, shaped so that it broadcasts over `signal`."""
    values = tf.cast(values, signal.dtype)
    return tf.reshape(values, [-1] + [1] * (len(signal.shape) - 1))

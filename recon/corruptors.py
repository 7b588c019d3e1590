"""Damage: Gaussian noise, impulse noise, and quantization in time (sample-and-hold).

Each corruptor takes a signal with time along axis 1, [batch, n_samples, ...], explicit
parameters and, where chance is involved, a seed; it returns a new tensor of the same shape and
type. Formulas: docs/signals.md; seen in section 2 of both notebooks.
"""

from numbers import Integral

import numpy as np
import tensorflow as tf

LARGEST = float(np.finfo(np.float32).max)


def _per_waveform(values, signal):
    """Shape one number for all, or one per waveform, so that it broadcasts over `signal`."""
    values = tf.convert_to_tensor(values, signal.dtype)
    return tf.reshape(values, [-1] + [1] * (len(signal.shape) - 1))


def _check(name, values, rule, low, high):
    """Raise a ValueError for values known now; those inside a graph were checked as ranges."""
    if tf.is_tensor(values) and not hasattr(values, "numpy"):
        return
    known = np.asarray(values, float)
    if not np.all((low <= known) & (known <= high)):
        raise ValueError(f"{name} must be {rule}, got {known.tolist()}")


def add_gaussian_noise(signal, stddev, *, seed):
    """Add white Gaussian noise: signal + stddev * w, with w independent and standard normal.

    Args:
        signal: float tensor [batch, n_samples, ...].
        stddev: linear standard deviation, a number or a tensor [batch]; 0 changes nothing.
        seed: int32 tensor or pair [2].

    Returns:
        Tensor like `signal`.

    Raises:
        ValueError: if `stddev` is negative or not finite.

    >>> add_gaussian_noise(tf.ones([1, 2]), 0.0, seed=(1, 2)).numpy().tolist()
    [[1.0, 1.0]]
    """
    signal = tf.convert_to_tensor(signal)
    _check("stddev", stddev, "finite and at least 0", 0, LARGEST)
    noise = tf.random.stateless_normal(tf.shape(signal), seed, dtype=signal.dtype)
    return signal + _per_waveform(stddev, signal) * noise


def add_impulse_noise(signal, impulse_rate, impulse_amplitude, *, seed):
    """Hit each sample with probability `impulse_rate`; a hit adds +- `impulse_amplitude`.

    Hits are independent (a Bernoulli process, which is the Poisson process in discrete
    time), so the number of hits in n samples is binomial with mean impulse_rate * n.

    Args:
        signal: float tensor [batch, n_samples, ...].
        impulse_rate: probability per sample, number or tensor [batch]; 0 changes nothing.
        impulse_amplitude: linear size, a number or a tensor [batch]; 0 changes nothing.
        seed: int32 tensor or pair [2].

    Returns:
        Tensor like `signal`.

    Raises:
        ValueError: if `impulse_rate` leaves [0, 1], or `impulse_amplitude` is negative or infinite.

    >>> tf.abs(add_impulse_noise(tf.zeros([1, 3]), 1.0, 0.5, seed=(1, 2))).numpy().tolist()
    [[0.5, 0.5, 0.5]]
    """
    signal = tf.convert_to_tensor(signal)
    _check("impulse_rate", impulse_rate, "a probability in [0, 1]", 0, 1)
    _check("impulse_amplitude", impulse_amplitude, "finite and at least 0", 0, LARGEST)
    half = _per_waveform(impulse_rate, signal) / 2
    # One draw decides both: the lowest half of the rate hits upwards, the next one downwards.
    draw = tf.random.stateless_uniform(tf.shape(signal), seed, dtype=signal.dtype)
    sign = 2 * tf.cast(draw < half, signal.dtype) - tf.cast(draw < 2 * half, signal.dtype)
    return signal + _per_waveform(impulse_amplitude, signal) * sign


def sample_and_hold(signal, hold_length):
    """Quantize in time: keep every hold_length-th sample and hold it until the next one.

    y[n] = x[hold_length * floor(n / hold_length)], a zero-order hold. The samples kept are the
    knots; a last hold that the frame cuts short is kept, so the length never changes.

    Args:
        signal: tensor [batch, n_samples, ...].
        hold_length: samples per knot, a whole number of at least 1 or an integer tensor [batch];
            1 changes nothing.

    Returns:
        Tensor like `signal`.

    Raises:
        ValueError: if a `hold_length` is not a whole number of at least 1.

    >>> sample_and_hold(tf.constant([[1, 2, 3, 4, 5]]), 2).numpy().tolist()
    [[1, 1, 3, 3, 5]]
    """
    signal = tf.convert_to_tensor(signal)
    if not tf.is_tensor(hold_length):
        if not isinstance(hold_length, Integral) or hold_length < 1:
            raise ValueError(
                f"hold_length must be a whole number of at least 1, got {hold_length!r}"
            )
        held = tf.repeat(signal[:, ::hold_length], hold_length, axis=1)
        return tf.ensure_shape(held[:, : tf.shape(signal)[1]], signal.shape)
    _check("hold_length", hold_length, "whole numbers of at least 1", 1, LARGEST)
    samples, lengths = tf.range(tf.shape(signal)[1]), tf.cast(hold_length, tf.int32)[:, None]
    return tf.gather(signal, samples // lengths * lengths, axis=1, batch_dims=1)

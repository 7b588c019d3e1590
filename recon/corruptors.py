"""Damage: Gaussian noise, impulse noise, and quantization in time (sample-and-hold).

Each corruptor takes a signal with time along axis 1, [batch, n_samples, ...], explicit
parameters and, where chance is involved, a seed; it returns a new tensor of the same shape and
type. `noise` and `hold` draw the parameters too, one set per waveform, as the pipelines take them.
Formulas: docs/signals.md; seen in section 2 of both notebooks.
"""

import numpy as np
import tensorflow as tf

from recon import checks, signals


def _broadcast(values, signal):
    """Shape one number for all, or one per waveform, so that it broadcasts over `signal`."""
    values = tf.cast(values, signal.dtype)
    return tf.reshape(values, [-1] + [1] * (len(signal.shape) - 1))


def _check(name, values, **rule):
    """Check values that are known now; those inside a graph were checked as ranges."""
    if not tf.is_tensor(values) or hasattr(values, "numpy"):
        for value in np.ravel(np.asarray(values)).tolist():
            checks.number(name, value, **rule)


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
    _check("stddev", stddev, low=0)
    noise = tf.random.stateless_normal(tf.shape(signal), seed, dtype=signal.dtype)
    return signal + _broadcast(stddev, signal) * noise


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
    _check("impulse_rate", impulse_rate, low=0, high=1)
    _check("impulse_amplitude", impulse_amplitude, low=0)
    half = _broadcast(impulse_rate, signal) / 2
    # One draw decides both: the lowest half of the rate hits upwards, the next one downwards.
    draw = tf.random.stateless_uniform(tf.shape(signal), seed, dtype=signal.dtype)
    sign = 2 * tf.cast(draw < half, signal.dtype) - tf.cast(draw < 2 * half, signal.dtype)
    return signal + _broadcast(impulse_amplitude, signal) * sign


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
    _check("hold_length", hold_length, low=1, whole=True)
    if not tf.is_tensor(hold_length):
        hold_length = checks.number("hold_length", hold_length, low=1, whole=True)
        held = tf.repeat(signal[:, ::hold_length], hold_length, axis=1)
        return tf.ensure_shape(held[:, : tf.shape(signal)[1]], signal.shape)
    samples, lengths = tf.range(tf.shape(signal)[1]), tf.cast(hold_length, tf.int32)[:, None]
    return tf.gather(signal, samples // lengths * lengths, axis=1, batch_dims=1)


def noise(*, stddev, impulse_rate, impulse_amplitude, logarithmic=False):
    """Damage that draws a noise level and an impulse rate per waveform.

    Args:
        stddev: range of the Gaussian noise's standard deviation, linear amplitude, uniform.
        impulse_rate: range of the probability of an impulse per sample, uniform.
        impulse_amplitude: what an impulse adds, with either sign.
        logarithmic: draw the level uniform in its logarithm, so that every decade of hiss is as
            likely as any other.

    Returns:
        Callable (clean [batch, n_samples], seed) -> corrupted of that shape.
    """

    def corrupt(clean, seed):
        seeds = tf.random.split(seed, 4)
        count = tf.shape(clean)[0]
        levels = signals.uniform("stddev", stddev, count, seeds[0], low=0, logarithmic=logarithmic)
        rates = signals.uniform("impulse_rate", impulse_rate, count, seeds[1], low=0, high=1)
        noisy = add_gaussian_noise(clean, levels, seed=seeds[2])
        return add_impulse_noise(noisy, rates, impulse_amplitude, seed=seeds[3])

    return corrupt


def hold(hold_length):
    """Damage that quantizes in time by a sample-and-hold.

    Args:
        hold_length: samples per knot, a whole number, or a range to draw one from per waveform.

    Returns:
        Callable (clean [batch, n_samples], seed) -> corrupted of that shape.
    """
    if not np.iterable(hold_length):
        return lambda clean, seed: sample_and_hold(clean, hold_length)

    def corrupt(clean, seed):
        count = tf.shape(clean)[0]
        lengths = signals.uniform("hold_length", hold_length, count, seed, low=1, whole=True)
        return sample_and_hold(clean, tf.cast(lengths, tf.int32))

    return corrupt

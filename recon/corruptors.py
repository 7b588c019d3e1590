"""Damage: Gaussian noise, impulse noise, and quantization in time (sample-and-hold).

Each corruptor takes a signal with time along axis 1, [batch, n_samples, ...], explicit
parameters and, where chance is involved, a seed; it returns a new tensor of the same shape and
type. `noise` and `hold` draw the parameters too, one set per waveform, as the pipelines take them.
Formulas: docs/signals.md; seen in section 2 of both notebooks.
"""

from contextlib import suppress
from functools import partial

import numpy as np
import tensorflow as tf

from recon import checks, signals


def _signal(name, signal, floats=False):
    """A tensor [batch, n_samples, ...], finite as far as it is known."""
    with suppress(Exception):  # TensorFlow and NumPy raise whatever they run into
        if tf.is_tensor(signal) or np.asarray(signal).dtype.kind in "fiub":  # others may end it
            signal = tf.convert_to_tensor(signal)
    usable = tf.is_tensor(signal) and len(signal.shape) > 1 and signal.dtype != tf.string
    usable = usable and (signal.dtype.is_floating or not floats)
    rule = f"{name} must be {'floats' if floats else 'numbers'} [batch, n_samples, ...]"
    checks.require(usable, rule, repr(signal))
    if signal.dtype.is_floating and hasattr(signal, "numpy"):
        checks.samples(name, signal.numpy())
    return signal


FLOATS = partial(_signal, floats=True)
RULES = {
    "signal": FLOATS,
    "stddev": signals.per_waveform(low=0),
    "tilt": signals.per_waveform(low=-60, high=60),
    "impulse_rate": signals.per_waveform(low=0, high=1),
    "impulse_amplitude": signals.per_waveform(low=0),
    "seed": signals.SEED,
}


def _exact(dtype):
    """A type of that many bits, of 32 at least: chance needs them."""
    return tf.float64 if dtype == tf.float64 else tf.float32


def _broadcast(name, values, signal, dtype=None):
    """Shape one number for all, or one per waveform, so that it broadcasts over `signal`."""
    exact = values if tf.is_tensor(values) else np.asarray(values)  # of 64 bits
    values = tf.cast(exact, dtype or signal.dtype)
    fits = not values.shape.rank or values.shape.is_compatible_with(signal.shape[:1])
    checks.require(fits, f"{name} must be one number or {signal.shape[0]}", values.shape)
    return tf.reshape(values, [-1] + [1] * (len(signal.shape) - 1))


@checks.checked(**RULES)
def add_gaussian_noise(signal, stddev, *, seed, tilt=None):
    """Add Gaussian noise: signal + stddev * w, with w standard normal, and white unless tilted.

    Args:
        signal: float tensor [batch, n_samples, ...].
        stddev: linear standard deviation, a number or numbers [batch]; 0 changes nothing.
        seed: int32 tensor or pair [2].
        tilt: slope of the noise's amplitude over frequency, dB per octave, a number or a tensor
            [batch]; below 0 it is darker than white noise, of the same standard deviation. None for
            white noise.

    Returns:
        Tensor like `signal`.

    Raises:
        ValueError: naming the argument, the rule and the value.

    >>> add_gaussian_noise(tf.ones([1, 2]), 0.0, seed=(1, 2)).numpy().tolist()
    [[1.0, 1.0]]
    """
    noise = signals.normal(tf.shape(signal), seed, signal.dtype)
    if tilt is not None:
        noise = _tilted(noise, _broadcast("tilt", tilt, signal))
    return FLOATS("signal + noise", signal + _broadcast("stddev", stddev, signal) * noise)


def _tilted(noise, tilt):
    """White noise [batch, n_samples, ...] with a spectral slope, flat in the lowest 64th."""
    exact, n_samples = _exact(noise.dtype), tf.shape(noise)[1]
    spectrum = tf.signal.rfft(tf.experimental.numpy.moveaxis(tf.cast(noise, exact), 1, -1))
    bins = tf.shape(spectrum)[-1]
    both = tf.range(n_samples)  # of all bins, those of negative frequencies included
    height = tf.maximum(tf.minimum(both, n_samples - both) / bins, 1 / 64)
    gain = tf.cast(height, exact) ** tf.cast(tilt / (20 * np.log10(2)), exact)
    gain /= tf.sqrt(tf.reduce_mean(gain**2, axis=-1, keepdims=True))
    gain = tf.cast(gain[..., :bins], spectrum.dtype)
    tilted = tf.signal.irfft(spectrum * gain, [n_samples])
    tilted = tf.cast(tf.experimental.numpy.moveaxis(tilted, -1, 1), noise.dtype)
    return tf.ensure_shape(tilted, noise.shape)


@checks.checked(**RULES)
def add_impulse_noise(
    signal, impulse_rate, impulse_amplitude, *, seed, impulse_size=(1, 1), impulse_length=(1, 1)
):
    """Hit each sample with probability `impulse_rate`; a hit adds +- `impulse_amplitude`.

    Hits are independent (a Bernoulli process, which is the Poisson process in discrete
    time), so the number of hits in n samples is binomial with mean impulse_rate * n. A hit may
    differ in size, and may be a click: it falls along a quarter of a cosine, and rings.

    Args:
        signal: float tensor [batch, n_samples, ...].
        impulse_rate: probability per sample, number or tensor [batch]; 0 changes nothing.
        impulse_amplitude: linear size, a number or a tensor [batch]; 0 changes nothing.
        seed: int32 tensor or pair [2].
        impulse_size: range of a factor of the size, drawn per hit, uniform in its logarithm.
        impulse_length: range of samples that a hit lasts, drawn per hit, whole and uniform.

    Returns:
        Tensor like `signal`.

    Raises:
        ValueError: naming the argument, the rule and the value.

    >>> tf.abs(add_impulse_noise(tf.zeros([1, 3]), 1.0, 0.5, seed=(1, 2))).numpy().tolist()
    [[0.5, 0.5, 0.5]]
    """
    rate = _broadcast("impulse_rate", impulse_rate, signal, _exact(signal.dtype))
    amplitude = _broadcast("impulse_amplitude", impulse_amplitude, signal)
    # One draw decides both: the lowest half of the rate hits upwards, the next one downwards.
    draw = tf.random.stateless_uniform(tf.shape(signal), seed, dtype=rate.dtype)
    impulses = tf.where(draw < rate / 2, amplitude, tf.where(draw < rate, -amplitude, 0.0))
    if impulse_size != (1, 1) or impulse_length != (1, 1):
        impulses = _clicks(impulses, impulse_size, impulse_length, tf.random.split(seed, 4)[1:])
    return FLOATS("signal + impulses", signal + impulses)


def _clicks(hits, size, length, seeds):
    """Hits of random size, length and pitch, where there were hits of one sample."""
    places = tf.where(hits != 0)  # [clicks, axes]
    count, longest = tf.shape(places)[0], length[1]
    sizes = signals.uniform(size, count, seeds[0], logarithmic=True)
    lengths = signals.uniform(length, count, seeds[1], whole=True)
    pitches = tf.nn.relu(signals.uniform((-np.pi, np.pi), count, seeds[2]))
    later = tf.range(longest, dtype=tf.float32)  # samples after the hit
    falling = tf.cos(np.pi / 2 * tf.minimum(later / lengths[:, None], 1))
    shape = sizes[:, None] * falling * tf.cos(pitches[:, None] * later)  # [clicks, longest]
    shape = tf.cast(shape, hits.dtype) * tf.gather_nd(hits, places)[:, None]
    ahead = np.arange(longest)[:, None] * (np.arange(len(hits.shape)) == 1)  # along the time axis
    index = places[:, None] + ahead  # [clicks, longest, axes]
    inside = index[..., 1] < tf.shape(hits, places.dtype)[1]
    index, shape = tf.boolean_mask(index, inside), tf.boolean_mask(shape, inside)
    return tf.scatter_nd(index, shape, tf.shape(hits, places.dtype))


@checks.checked(signal=_signal, hold_length=signals.per_waveform(low=1, whole=True))
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
        ValueError: naming the argument, the rule and the value.

    >>> sample_and_hold(tf.constant([[1, 2, 3, 4, 5]]), 2).numpy().tolist()
    [[1, 1, 3, 3, 5]]
    """
    if isinstance(hold_length, int):
        shown = min(hold_length, signal.shape[1] or hold_length)  # of a hold that is longer
        held = tf.repeat(signal[:, ::hold_length], shown, axis=1)
        return tf.ensure_shape(held[:, : tf.shape(signal)[1]], signal.shape)
    lengths = tf.reshape(_broadcast("hold_length", hold_length, signal, tf.int32), [-1, 1])
    lengths = tf.broadcast_to(lengths, [tf.shape(signal)[0], 1])
    samples = tf.range(tf.shape(signal)[1])
    return tf.gather(signal, samples // lengths * lengths, axis=1, batch_dims=1)


def noise(
    *,
    stddev,
    impulse_rate,
    impulse_amplitude,
    logarithmic=False,
    tilt=None,
    impulse_size=(1, 1),
    impulse_length=(1, 1),
):
    """Damage that draws a noise level and an impulse rate per waveform.

    Args:
        stddev: range of the Gaussian noise's standard deviation, linear amplitude, uniform.
        impulse_rate: range of the probability of an impulse per sample, uniform.
        impulse_amplitude: what an impulse adds, with either sign.
        logarithmic: draw the level uniform in its logarithm, so that every decade of hiss is as
            likely as any other.
        tilt: range of the noise's spectral slope, dB per octave, uniform; None for white noise.
        impulse_size, impulse_length: as in `add_impulse_noise`.

    Returns:
        Callable (clean [batch, n_samples], seed) -> corrupted of that shape.

    Raises:
        ValueError: naming the argument, the rule and the value.
    """
    checks.pair("stddev", stddev, low=1e-30 if logarithmic else 0)
    clicks = {"impulse_size": impulse_size, "impulse_length": impulse_length}

    @checks.checked(clean=FLOATS, seed=signals.SEED)
    def corrupt(clean, seed):
        seeds = tf.unstack(tf.random.split(seed, 4))
        count = tf.shape(clean)[0]
        levels = signals.uniform(stddev, count, seeds[0], logarithmic=logarithmic)
        rates = signals.uniform(impulse_rate, count, seeds[1])
        slopes = None
        if tilt is not None:
            slopes = signals.uniform(tilt, count, tf.random.split(seeds[0])[1])
        noisy = add_gaussian_noise(clean, levels, seed=seeds[2], tilt=slopes)
        return add_impulse_noise(noisy, rates, impulse_amplitude, seed=seeds[3], **clicks)

    return corrupt


@checks.checked(clean=None, seed=None)
def applied(damage, clean, seed):
    """What some damage makes of a tensor, which has to have its form.

    Raises:
        ValueError: if it has not.
    """
    corrupted = damage(clean, seed)
    alike = tf.is_tensor(corrupted) and corrupted.dtype == clean.dtype
    alike = alike and corrupted.shape == clean.shape
    rule = f"damage must give a tensor, {clean.dtype.name} {clean.shape}, as it is given"
    checks.require(alike, rule, repr(corrupted))
    return corrupted


@checks.checked(hold_length=checks.HOLD_LENGTHS)
def hold(hold_length):
    """Damage that quantizes in time by a sample-and-hold.

    Args:
        hold_length: samples per knot, a whole number, or a range to draw one from per waveform.

    Returns:
        Callable (clean [batch, n_samples], seed) -> corrupted of that shape.
    """
    if not np.iterable(hold_length):
        return lambda clean, seed: sample_and_hold(clean, hold_length)

    @checks.checked(clean=FLOATS, seed=signals.SEED)
    def corrupt(clean, seed):
        lengths = signals.uniform(hold_length, tf.shape(clean)[0], seed, whole=True)
        return sample_and_hold(clean, tf.cast(lengths, tf.int32))

    return corrupt


def either(shares):
    """Damage of one kind or another, drawn per waveform.

    Args:
        shares: {damage: how often it is drawn}, of callables as `noise` and `hold` return them.

    Returns:
        Callable (clean [batch, n_samples], seed) -> corrupted of that shape.

    Raises:
        ValueError: if a share is not a number above 0, or there is none.
    """
    usable = isinstance(shares, dict) and shares and all(map(callable, shares))
    checks.require(usable, "shares must be {damage: how often}", repr(shares))
    shares_of = [checks.number("shares", share, low=1e-9) for share in shares.values()]
    logits = np.log([shares_of], dtype=np.float32)

    @checks.checked(clean=FLOATS, seed=signals.SEED)
    def corrupt(clean, seed):
        seeds = tf.random.split(seed, len(shares) + 1)
        which = tf.random.stateless_categorical(logits, tf.shape(clean)[0], seeds[-1])[0]
        kinds = [applied(damage, clean, seeds[i]) for i, damage in enumerate(shares)]
        return tf.gather(tf.stack(kinds, axis=1), which, axis=1, batch_dims=1)

    return corrupt


checks.guard(__name__)

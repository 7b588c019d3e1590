"""The restorers of recordings: networks that answer the same at every loudness and rate.

Their layers work on spectra of frames that overlap by half. Every builder returns a
`models.Network`. Why these shapes: section 10 of the notebooks, and docs/recordings.md.
"""

import inspect
from functools import reduce

import keras
import numpy as np
from keras import layers, ops

from recon.models import EXACT, Network


class _Spectral(layers.Layer):
    """What works on spectra of frames, half a frame apart under a sine window, before and after.

    A sample depends on `hops` halves of a frame on either side of its own. Signals [batch,
    n_samples, 1] are whole halves long.
    """

    def __init__(self, frame_length, **options):
        super().__init__(**options)
        self.frame_length, self.hops = frame_length, 1

    @property
    def receptive_field(self):
        half = self.frame_length // 2
        return (self.hops + 1) * half - 1, (self.hops + 1) * half - 1, half

    def compute_output_shape(self, shape):
        return shape

    def build(self, *_):
        """What it holds is built as a frame of silence passes."""
        inputs = len(inspect.signature(self.call).parameters)
        self.call(*inputs * [ops.zeros((1, self.frame_length, 1))])

    def _window(self):
        places = (np.arange(self.frame_length) + 0.5) / self.frame_length
        return np.float32(np.sin(np.pi * places))

    def _spectra(self, signal):
        """Real and imaginary parts [batch, frames, bins]."""
        half = self.frame_length // 2
        halves = ops.reshape(signal, (-1, ops.shape(signal)[1] // half, half))
        padded = ops.pad(halves, [[0, 0], [1, 1], [0, 0]])
        frames = ops.concatenate([padded[:, :-1], padded[:, 1:]], axis=-1)
        return ops.rfft(frames * self._window())

    def _overlapped(self, real, imaginary, signal):
        """The signal of such spectra, in the shape of another."""
        halves = ops.irfft((real, imaginary)) * self._window()
        halves = ops.reshape(halves, (-1, ops.shape(halves)[1], 2, self.frame_length // 2))
        return ops.reshape(halves[:, 1:, 0] + halves[:, :-1, 1], ops.shape(signal))


@keras.saving.register_keras_serializable(package="recon")
class SpectralGain(_Spectral):
    """A gain for every frequency of every frame, learnt from the spectra around it.

    The gain a^2 / (a^2 + b^2) comes from roots of magnitudes through convolutions over time and
    frequency without biases: the same at every loudness and every rate (after Ephraim and Malah,
    1984). Two bins share a position of the convolutions, which halves their work.

    Input shape: what is to be changed, and what else to look at, both [batch, n_samples, 1],
    n_samples a multiple of half a frame. Output shape: the same.

    Args:
        frame_length: samples, even.
        channels, dilations: of the convolutions and their residual blocks.
    """

    def __init__(self, frame_length, channels, dilations, **options):
        super().__init__(frame_length, **options)
        self.channels, self.dilations = channels, dilations
        self.first = self._over(5)
        self.blocks = [(self._over(3, dilation_rate=d), self._over(3)) for d in self.dilations]
        self.last = layers.Conv2D(4, 3, padding="same", use_bias=False, dtype="float32")
        self.hops += 3 + sum(1 + dilation for dilation in self.dilations)  # by all convolutions

    def _over(self, size, **options):
        return layers.Conv2D(self.channels, size, padding="same", use_bias=False, **options)

    def call(self, signal, beside):
        real, imaginary = self._spectra(signal)
        magnitudes = [real**2 + imaginary**2, sum(part**2 for part in self._spectra(beside))]
        x = ops.stack([ops.sqrt(ops.sqrt(power + 1e-12)) for power in magnitudes], axis=-1)
        frames, bins = ops.shape(x)[1], x.shape[2]
        x = ops.pad(x, [[0, 0], [0, 0], [0, bins % 2], [0, 0]])
        x = self.first(ops.reshape(x, (-1, frames, (bins + 1) // 2, 4)))
        for one, other in self.blocks:
            x += other(ops.relu(one(ops.relu(x))))
        squares = ops.square(ops.cast(self.last(ops.relu(x)), "float32"))
        a, b = ops.split(ops.reshape(squares, (-1, frames, 2 * ((bins + 1) // 2), 2)), 2, axis=-1)
        gain = (a / (a + b + 1e-9))[:, :, :bins, 0]
        return self._overlapped(gain * real, gain * imaginary, signal)


@keras.saving.register_keras_serializable(package="recon")
class Surprise(_Spectral):
    """How far each sample is from what its neighbours on both sides predict.

    The best linear prediction of one sample from all others, in a signal with the power spectrum
    P(f), errs by the signal filtered with 1 / P(f), over the mean of 1 / P(f) (Kolmogorov, 1941).
    P is the power of each frame, smoothed over nine bins. Nothing is learnt here.
    """

    def call(self, signal):
        real, imaginary = self._spectra(signal)
        power = real**2 + imaginary**2
        bins = power.shape[-1]
        kernel = np.float32(np.hanning(11)[1:-1, None, None])
        rows = ops.pad(power, [[0, 0], [0, 0], [4, 4]], mode="reflect")
        rows = ops.reshape(rows, (-1, bins + 8, 1))
        power = ops.reshape(ops.conv(rows, kernel), ops.shape(power))
        # The floor keeps the filter short: frequencies that hold next to nothing tell little.
        power += 1e-3 * ops.mean(power, axis=-1, keepdims=True) + 1e-12
        twice = np.float32([1, *[2] * (bins - 2), 1]) / (2 * bins - 2)  # bins of both halves
        scale = 1 / (power * ops.sum(twice / power, axis=-1, keepdims=True))
        return self._overlapped(scale * real, scale * imaginary, signal)


@keras.saving.register_keras_serializable(package="recon")
class SpectralShares(_Spectral):
    """Divide each bin of the knots' spectrum among the frequencies that are folded onto it.

    The best linear estimate of one is the bin times its share in their power (Wiener, 1949). At
    first the power falls as the frequency to the minus fourth, which makes the cubic spline (Unser,
    1999). Convolutions over time and frequency learn to change the shares.

    Input shape: a held signal, whose first sample is a knot, and an estimate of what it was, both
    [batch, n_samples, 1], n_samples a multiple of half a frame. Output shape: the same; the knots
    are as they were.

    Args:
        hold_length: samples per knot.
        frame_length: samples, a multiple of 2 hold_length.
        channels, dilations: of the convolutions and their residual blocks.
    """

    def __init__(self, hold_length, frame_length, channels, dilations, **options):
        super().__init__(frame_length, **options)
        self.hold_length, self.channels, self.dilations = hold_length, channels, dilations
        self.bins = frame_length // (2 * hold_length) + 1  # of the knots' spectrum
        self.together = max(1, round(6 / hold_length))  # bins that share a position: less work
        self.positions = -(-self.bins // self.together)
        self.first = self._over(5)
        self.blocks = [self._block(dilation) for dilation in dilations]
        self.norm = layers.LayerNormalization()  # or the shares run away in the first steps
        zeros = {"kernel_initializer": "zeros", "dtype": "float32"}
        self.last = layers.Conv2D(self.together * hold_length, 3, padding="same", **zeros)
        # By the mean over five frames, and by all convolutions.
        self.hops += 2 + 3 + sum(1 + dilation for dilation in self.dilations)

    def _over(self, size, **options):
        return layers.Conv2D(self.channels, size, padding="same", **options)

    def _block(self, dilation):
        over = self._over(3, dilation_rate=dilation), self._over(3)
        return *over, _Across(self.channels), _Across(self.positions)

    def _folded(self):
        """The bins of a frame that fold onto each bin b of the knots' B, [B, hold_length]: b,
        2 (B - 1) - b, 2 (B - 1) + b, 4 (B - 1) - b, ..."""
        bin, row = np.ogrid[: self.bins, : self.hold_length]
        return (row + 1) // 2 * 2 * (self.bins - 1) + (-1) ** row * bin

    def call(self, held, estimate):
        hold_length, folded = self.hold_length, self._folded()
        shape = ops.shape(held)
        is_knot = np.eye(hold_length, dtype=np.float32)[0]
        by_knot = (shape[0], shape[1] // hold_length, hold_length)
        knots = ops.reshape(held, by_knot) * is_knot  # zeros after each
        real, imaginary = self._spectra(ops.reshape(knots, shape))
        kept = (real**2 + imaginary**2)[..., : self.bins]
        power = sum(part**2 for part in self._spectra(estimate))
        mean = ops.pad(ops.mean(power, axis=-1, keepdims=True), [[0, 0], [2, 2], [0, 0]])
        mean = ops.average_pool(mean, 5, strides=1) + 1e-12
        seen = ops.concatenate([kept[..., None], ops.take(power, folded, axis=-1)], axis=-1)
        seen = ops.log(seen / mean[..., None] + 1e-7) / 4
        place = np.linspace(-1, 1, self.bins, dtype=np.float32)[:, None]
        x = ops.concatenate([seen, ops.ones_like(seen[..., :1]) * place], axis=-1)
        spare = self.positions * self.together - self.bins
        x = ops.pad(x, [[0, 0], [0, 0], [0, spare], [0, 0]])
        frames = (shape[0], -1, self.positions)
        x = self.first(ops.reshape(x, (*frames, self.together * x.shape[-1])))
        for one, other, narrow, wide in self.blocks:
            x += other(ops.leaky_relu(one(ops.leaky_relu(x, 0.1)), 0.1))
            x += wide(ops.relu(narrow(x)))
        change = self.last(ops.leaky_relu(self.norm(x), 0.1))
        change = ops.reshape(change, (shape[0], -1, self.bins + spare, hold_length))
        change = 8 * ops.softsign(ops.cast(change, "float32")[:, :, : self.bins] / 8)
        spline = -4 * np.log(np.maximum(folded, 0.5))
        shares = ops.softmax(change + np.float32(spline))
        _, unfolded = np.unique(folded, return_index=True)
        shares = ops.reshape(shares, (shape[0], -1, folded.size))
        gain = hold_length * ops.take(shares, unfolded, axis=-1)
        x = ops.reshape(self._overlapped(gain * real, gain * imaginary, held), by_knot)
        return ops.reshape(x * (1 - is_knot) + knots, shape)


class _Across(layers.Layer):
    """A dense layer across frequencies, [..., bins, channels] -> [..., units, channels].

    `layers.EinsumDense` would wrap the product in transpositions; the network would take a third
    longer.
    """

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight((shape[-2], self.units), "glorot_uniform", name="kernel")

    def call(self, x):
        return ops.matmul(ops.transpose(self.kernel), x)


@keras.saving.register_keras_serializable(package="recon")
class Choice(layers.Layer):
    """A mean of several answers under weights that are fourth powers.

    Input shape: `count` answers [batch, positions, count * samples], concatenated; roots of
    their weights, as many or one per answer. Output shape: [batch, positions, samples].
    """

    receptive_field = (0, 0, 1)  # positions

    def __init__(self, count, **options):
        super().__init__(**options)
        self.count = count

    def call(self, answers, roots):
        roots = ops.split(ops.cast(roots, "float32"), self.count, axis=-1)
        largest = reduce(ops.maximum, map(ops.abs, roots)) + 1e-20
        # Equal where all roots are 0.
        weights = [ops.square(ops.square(root / largest)) + 1e-20 for root in roots]
        answers = ops.split(answers, self.count, axis=-1)
        return sum(map(ops.multiply, weights, answers)) / sum(weights)


def denoiser(
    *,
    position=8,
    channels=48,
    dilations=(1, 2, 4, 8),
    frame_length=512,
    gains=((2048, 16, (1, 2)), (512, 16, (1, 2, 4))),
    **about,
):
    """Hiss and clicks out of recordings: clicks in time, hiss in the spectrum.

    A dilated network takes out what stands out in time (van den Oord et al., 2016). From that
    estimate follows what the neighbours of each sample predict (`Surprise`); sample by sample
    the network chooses between the corrupted signal, its estimate and this prediction. Spectral
    gains, with long frames and then short ones, take out what fills the spectrum. Nothing has a
    bias, so a signal twice as loud is answered twice as loud (Mohan et al., 2020).

    Args:
        position: samples that make one position of the network in time.
        channels, dilations: of that network.
        frame_length: samples whose spectrum tells what neighbours predict.
        gains: frame length, channels and dilations of each `SpectralGain`.
        about: `name` and others of a `Network`.
    """
    signal = keras.Input((None, 1))
    corrupted = layers.Reshape((-1, position), **EXACT)(signal)
    seen = _dilated(_convolution(channels, 5)(corrupted), dilations)
    change = _convolution(position, 3)(seen)
    x = layers.Add(**EXACT)([corrupted, change])
    surprise = Surprise(frame_length, **EXACT)(layers.Reshape((-1, 1), **EXACT)(x))
    surprise = layers.Reshape((-1, position), **EXACT)(surprise)
    expected = layers.Subtract(**EXACT)([x, surprise])
    apart = layers.Subtract(**EXACT)([corrupted, expected])
    seen = layers.Concatenate()([seen, corrupted, change, apart, surprise])
    seen = layers.ReLU()(_convolution(channels, 3)(seen))
    answers = layers.Concatenate(**EXACT)([corrupted, x, expected])
    x = Choice(3, **EXACT)(answers, _convolution(3 * position, 3)(seen))
    x = layers.Reshape((-1, 1), **EXACT)(x)
    for gain in gains:
        x = SpectralGain(*gain, **EXACT)(x, signal)
    return Network(signal, x, **{"name": "denoiser"} | about)


def interpolator(
    *, hold_length, frame_lengths=(1536, 384), channels=32, dilations=(1, 2, 4), **about
):
    """Recordings quantized in time: the samples between the knots; the knots stay as they are.

    `SpectralShares` with long frames first, then with short ones that see the estimate so far.

    Args:
        hold_length: samples per knot, at least 2; the first sample is a knot.
        frame_lengths: samples, of each `SpectralShares`, multiples of 2 hold_length.
        channels, dilations: of each.
        about: `name` and others of a `Network`.
    """
    signal = keras.Input((None, 1))
    x = signal
    for frame_length in frame_lengths:
        x = SpectralShares(hold_length, frame_length, channels, dilations, **EXACT)(signal, x)
    return Network(signal, x, hold_length=hold_length, **{"name": "interpolator"} | about)


def _dilated(x, dilations):
    """Residual blocks without biases; each adds what it sees at its own distance."""
    channels = x.shape[-1]
    for dilation in dilations:
        y = _convolution(channels, 3, dilation_rate=dilation)(layers.ReLU()(x))
        x = layers.Add()([x, _convolution(channels, 3)(layers.ReLU()(y))])
    return layers.ReLU()(x)


def _convolution(channels, kernel_size, **options):
    return layers.Conv1D(channels, kernel_size, padding="same", use_bias=False, **options)

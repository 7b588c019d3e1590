"""Networks: Keras layers and `keras.ops` only, so that any Keras backend can run them.

Every builder returns a `Network`: signals [batch, n_samples, 1] of any length in, the same shape
out. It owns its padding and cropping and knows how far it looks, so that `framing` can join chunks
exactly. Shapes in comments are [positions, channels]. Why these shapes: section 5 of the notebooks.
"""

import inspect
import os
import zipfile
from contextlib import ExitStack, contextmanager
from functools import partial, reduce
from math import gcd
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from recon import checks, settings

ABOUT = ("sample_rate", "purpose", "hold_length")  # what a network knows of itself
RECTIFIED = {"padding": "same", "activation": "relu"}  # what most convolutions share
KERAS = partial(
    checks.that,
    rule="a functional Keras model",
    holds=lambda x: isinstance(x, keras.Model) and getattr(x, "inputs", None),
)


@keras.saving.register_keras_serializable(package="recon")
class Network(keras.Model):
    """A Keras model of layers that are local in time, for signals of any length.

    Write it as any functional model, and say `Network` where Keras says `Model`. The signal is
    padded with zeros to whole strides and the answer cropped, so that the layers need not care.

    Args:
        inputs: keras.Input((None, 1)).
        outputs: tensor [batch, n_samples, 1].
        name, about: of the model, as in `Network`.
        sample_rate: Hz, of the recordings that it is for, or the lowest and the highest; None if it
            is for none.
        purpose: what it restores, in a few words.
        hold_length: samples per knot, if it restores a hold, and takes the first sample for a knot.

    Attributes:
        receptive_field: (left, right, stride) in samples. Output n depends on inputs n - left to
            n + right and no others, whatever the weights; a shift of the input by `stride` samples
            shifts the output alike.
        latency: samples, how much later than an input its output is known: `right`.
        sample_rate, purpose, hold_length: as above. All are saved, loaded and copied.

    Raises:
        ValueError: for a layer that is not local in time, by its name, or for other shapes.

    >>> signal = keras.Input((None, 1))
    >>> Network(signal, layers.Conv1D(1, 5, padding="same")(signal)).receptive_field
    (2, 2, 1)
    """

    @checks.checked(sample_rate=partial(checks.one_or, checks.pair, low=1))
    def __init__(
        self, inputs, outputs, name=None, *, sample_rate=None, purpose="", hold_length=None,
        trainable=True,
    ):  # fmt: skip
        super().__init__(inputs, outputs, name=name, trainable=trainable)
        self.receptive_field = _receptive_field(self)
        self.latency = self.receptive_field[1]
        self.sample_rate, self.purpose, self.hold_length = sample_rate, purpose, hold_length

    def call(self, signal, training=None, mask=None):
        n_samples = ops.shape(signal)[1]
        padding = -n_samples % self.receptive_field[2]
        padded = ops.pad(signal, [[0, 0], [0, padding], [0, 0]])
        return super().call(padded, training=training)[:, :n_samples]

    def get_config(self):
        return super().get_config() | {name: getattr(self, name) for name in ABOUT}


@checks.checked(model=KERAS)
def as_network(model):
    """The model itself if it is a `Network`, else a Network of its layers, weights shared.

    Raises:
        ValueError: if it is no functional Keras model, or cannot be a Network.
    """
    if isinstance(model, Network):
        return model
    one = len(model.inputs) == len(model.outputs) == 1
    checks.require(one, "model must have one input and one output", repr(model))
    return Network(model.inputs[0], model.outputs[0], name=model.name)


def copy(model, **about):
    """The same network with the same weights, which shares nothing with the first.

    Args:
        model: Network.
        about: `name`, `sample_rate`, `purpose` or `hold_length` of the copy, where they change.

    Raises:
        ValueError: if there is something else in `about`.
    """
    others = sorted(set(about) - {"name", *ABOUT})
    checks.require(not others, f"about must be name, {', '.join(ABOUT)}", ", ".join(others))
    model = as_network(model)
    twin = Network.from_config(model.get_config() | about)
    twin.set_weights(model.get_weights())
    return twin


@checks.checked(model=KERAS)
@contextmanager
def uncompiled(model):
    """What Keras writes of a model here is the network, without how it was trained: that may not be
    written at all, as a loss or a schedule of one's own."""
    compiled, model.compiled = model.compiled, False
    try:
        yield
    finally:
        model.compiled = compiled


@checks.checked(model=KERAS, path=checks.PATH)
def save(model, path, *, tried=False):
    """Save a network so that `path` holds the old one or the new one, never half of either.

    Args:
        model: Network.
        path: file ending in .keras.
        tried: whether this network is known to be one that can be read back, which takes time.

    Raises:
        ValueError: if it could not be read back, as with a layer that Keras does not know, or
            `path` cannot be written.
    """
    checks.require(Path(path).suffix == ".keras", "path must end in .keras", repr(str(path)))
    path = Path(path)
    try:
        with settings.replacing(path) as beside, uncompiled(model):
            model.save(beside)
            if not tried:
                keras.saving.load_model(beside, compile=False)
    except OSError as error:
        rule = "path must be a place that can be written"
        raise ValueError(f"{rule}, got {str(path)!r}: {error.strerror}") from error
    except (TypeError, ValueError, NotImplementedError) as error:
        rule = "model must be one that can be read back"
        raise ValueError(f"{rule}, got {model.name!r}: {_reason(error)}") from error


@contextmanager
def _plain():
    """Keras' own defaults, whatever its user has set: networks are what they were trained as."""
    plain = {"dtype_policy": "float32", "floatx": "float32", "image_data_format": "channels_last"}
    with ExitStack() as kept:
        for name, value in plain.items():
            put = getattr(keras.config, f"set_{name}")
            kept.callback(put, getattr(keras.config, name)())
            put(value)
        yield


def load(path):
    """Load a network; nothing that the file holds is ever run.

    Args:
        path: of a .keras file, whoever saved it.

    Returns:
        Network, not compiled.

    Raises:
        ValueError: if there is no such file, it is damaged, or no network of known layers that are
            local in time.
    """
    path = str(path)
    what = "is not in the .keras format" if os.path.exists(path) else "does not exist"
    zipped = os.path.isfile(path) and zipfile.is_zipfile(path)  # older formats can hold code
    checks.require(zipped, "network must be a .keras file", f"{path!r}, which {what}")
    try:
        with _plain():
            return as_network(keras.saving.load_model(path, compile=False, safe_mode=True))
    except Exception as error:  # Keras raises whatever it runs into
        rule = "network must be one that can be loaded"
        raise ValueError(f"{rule}, got {path!r}: {_reason(error)}") from error


def _reason(error):
    """What Keras says, in one line of bearable length."""
    return " ".join(str(error).split())[:200]


@checks.checked(channels=checks.SEVERAL)
def encoder_decoder(
    *,
    channels=(32, 96, 192, 256),
    kernel_sizes=(16, 8, 5, 3),
    factors=(4, 4, 2),
    name="encoder_decoder",
    **about,
):
    """Convolutions and pooling down, upsampling and convolutions up, nothing in between.

    Upsampling is sub-pixel (Shi et al., 2016): each position writes its successors side by side,
    so that they can differ from each other, as the samples of a fast wave do.

    Args:
        channels: per level, from the full rate to the bottleneck.
        kernel_sizes: of the convolutions on the way down, one per level.
        factors: by which each level but the last is pooled.
        name, about: of the model, as in `Network`.

    Returns:
        Network, [batch, n_samples, 1] -> the same shape, any n_samples; linear output.

    >>> encoder_decoder()(np.zeros([2, 100, 1])).shape
    TensorShape([2, 100, 1])
    """
    counts = len(channels), len(kernel_sizes), len(factors) + 1
    rule = "channels, kernel_sizes must be one more than factors"
    checks.require(len(set(counts)) == 1, rule, counts)
    signal = keras.Input((None, 1))
    x = signal
    for filters, kernel_size, factor in zip(channels, kernel_sizes, factors, strict=False):
        x = layers.Conv1D(filters, kernel_size, **RECTIFIED)(x)
        x = layers.MaxPooling1D(factor)(x)
    x = layers.Conv1D(channels[-1], kernel_sizes[-1], **RECTIFIED)(x)
    for filters, factor in zip(channels[-3::-1], factors[:0:-1], strict=True):
        x = layers.Conv1D(factor * filters, 3, **RECTIFIED)(x)
        x = layers.Reshape((-1, filters))(x)
    x = layers.Conv1D(factors[0], 3, padding="same")(x)
    return Network(signal, layers.Reshape((-1, 1))(x), name, **about)


@checks.checked(channels=checks.SEVERAL, front=partial(checks.WHOLE, low=0))
def unet(*, stem=32, window=2, channels=(192, 256), front=0, stages=1, name="unet", **about):
    """A U-Net (Ronneberger, Fischer and Brox, 2015) on a strided stem, or several in a row.

    The stem turns every `stem` samples into one position at once, as a learned filter bank, and the
    last layer is another: every position writes a waveform of its own, and waveforms overlap, so
    that their errors average. In between, nothing runs at the full rate, where convolutions cost
    most and see least. A further stage sees the estimate so far and what it leaves over, and adds
    its correction.

    Args:
        stem: samples per position.
        window: positions that the filters of both banks span.
        channels: per level, from the stem's rate to the bottleneck; each level halves the rate.
        front: channels of a part before each stem that corrects single samples at the full rate,
            which a stem can only blur; 0 for none.
        stages: U-Nets in a row.
        name, about: of the model, as in `Network`.

    Returns:
        Network, [batch, n_samples, 1] -> the same shape, any n_samples; linear output.

    Source: Moliner and Välimäki, "A Two-Stage U-Net for High-Fidelity Denoising of Historical
    Recordings", 2022, for two stages; Luo and Mesgarani, "Conv-TasNet", 2019, for filter banks.

    >>> unet()(np.zeros([2, 100, 1])).shape
    TensorShape([2, 100, 1])
    """
    signal = keras.Input((None, 1))
    estimate, seen = None, signal
    for _ in range(stages):
        cleaned = signal
        if front:  # [n_samples, 1 or 3] -> [n_samples, front] -> [n_samples, 1]
            y = layers.Conv1D(front, 5, **RECTIFIED)(seen)
            y = layers.Conv1D(front, 5, **RECTIFIED)(y)
            cleaned = layers.Add()([signal, layers.Conv1D(1, 5, padding="same")(y)])
        x = cleaned if estimate is None else layers.Concatenate()([cleaned, estimate])
        x = _descent_and_ascent(x, stem, window, channels)
        estimate = x if estimate is None else layers.Add()([estimate, x])
        seen = layers.Concatenate()([signal, estimate, layers.Subtract()([signal, estimate])])
    return Network(signal, estimate, name, **about)


def _descent_and_ascent(x, stem, window, channels):
    """[n_samples, some] -> [n_samples, 1], through positions of `stem` samples."""
    # [n_samples, some] -> [n_samples / stem, channels[0]]
    x = layers.Conv1D(channels[0], window * stem, strides=stem, **RECTIFIED)(x)
    skips = []
    for filters in channels[1:]:
        x = _residual(x)
        skips.append(x)
        x = layers.Conv1D(filters, 4, strides=2, **RECTIFIED)(x)
    x = _residual(x)
    for skip in reversed(skips):
        x = layers.Concatenate()([layers.UpSampling1D(2)(x), skip])
        x = layers.Conv1D(skip.shape[-1], 3, **RECTIFIED)(x)
        x = _residual(x)
    # [n_samples / stem, channels[0]] -> [n_samples, 1]
    return layers.Conv1DTranspose(1, window * stem, strides=stem, padding="same")(x)


@keras.saving.register_keras_serializable(package="recon")
class SpectralMask(layers.Layer):
    """Scale every bin of a frame's spectrum by a gain in [0, 1], learnt from the bins' powers.

    One small network serves all bins. It sees a bin's power against the frame's mean and against
    the largest bin, neither loudness nor frequency, so it works at any amplitude and any pitch.

    Input and output shape: [batch, frames, frame_length].
    """

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.gain = _pointwise(channels)

    def build(self, input_shape):
        self.gain.build((None, None, None, 2))

    def call(self, frames):
        real, imaginary = ops.rfft(frames)
        power = real**2 + imaginary**2 + 1e-12
        mean, peak = (f(power, axis=-1, keepdims=True) for f in (ops.mean, ops.max))
        seen = ops.stack([ops.log(power / mean), ops.log(power / peak)], axis=-1)
        gain = ops.sigmoid(self.gain(seen)[..., 0])  # [batch, frames, bins]
        return ops.irfft((real * gain, imaginary * gain), fft_length=frames.shape[-1])


@keras.saving.register_keras_serializable(package="recon")
class ImpulseRemoval(layers.Layer):
    """Take out of each sample what the residual shows to be an impulse.

    An impulse of the learnt size, with the residual's sign, is subtracted in the measure of its
    probability. In Gaussian noise that is a logistic function of the residual's size |r|: its log
    odds are size (|r| - size / 2) / variance + log(rate / 2). Slope and rate start at what the mean
    of |r| and one hit in a hundred samples would make them; from there one small network, run once
    per frame, corrects them by what three moments of the residual show.

    Input shape: corrupted frames and the estimate so far, both [batch, frames, frame_length].
    Output shape: the same, the corrupted frames without impulses.
    """

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        # Zeros: it starts without a say, or the first steps can drive the rate to nothing.
        self.correction = _pointwise(channels, 2, activation="tanh", kernel_initializer="zeros")

    def build(self, corrupted_shape, estimate_shape):
        self.correction.build((None, None, 3))
        self.size = self.add_weight(name="size", initializer=keras.initializers.Constant(0.5))

    def call(self, corrupted, estimate):
        residual = corrupted - estimate
        size = ops.abs(residual)
        # Impulses are few and large: they move the spread most, the mean root least.
        spread = ops.sqrt(_mean(size**2) + 1e-12)
        mean = _mean(size) + 1e-6
        root = _mean(ops.sqrt(size + 1e-9)) ** 2
        # Each feature lies within a few units of 0.
        seen = [ops.log(spread) + 3, 5 * ops.log(spread / mean) - 1, 10 * ops.log(mean / root) - 2]
        slope, rate = ops.split(self.correction(ops.concatenate(seen, axis=-1)), 2, axis=-1)
        variance = np.pi / 2 * mean**2 + 1e-4  # of Gaussian noise with this mean size
        odds = ops.exp(slope) * self.size / variance * (size - self.size / 2) + rate - 5
        return corrupted - self.size * ops.sign(residual) * ops.sigmoid(odds)


def _mean(frames):
    return ops.mean(frames, axis=-1, keepdims=True)


def _pointwise(channels, outputs=1, *, activation="relu", **last):
    """A network of two hidden layers that maps the last axis to `outputs` numbers."""
    hidden = [layers.Dense(channels, activation=activation, **EXACT) for _ in range(2)]
    return keras.Sequential([*hidden, layers.Dense(outputs, **EXACT, **last)])


@checks.checked(frame_length=checks.EVEN)
def unrolled(*, frame_length=256, channels=16, name="unrolled", **about):
    """Noise reduction as an unrolled iteration: small networks steer the half-steps.

    Spectral mask; take out what the residual shows to be impulses; mask again.
    Frames are restored one by one, the last one padded with zeros.

    Args:
        frame_length: samples per frame, even; whole cycles per frame are what it is best at.
        channels: of the small networks' hidden layers.
        name, about: of the model, as in `Network`.

    Returns:
        Network, [batch, n_samples, 1] -> the same shape, any n_samples; linear output.

    Source: Gregor and LeCun, "Learning Fast Approximations of Sparse Coding", 2010, for unrolling.

    >>> unrolled()(np.zeros([2, 100, 1])).shape
    TensorShape([2, 100, 1])
    """
    signal = keras.Input((None, 1))
    frames = layers.Reshape((-1, frame_length))(signal)
    estimate = SpectralMask(channels, **EXACT)(frames)
    cleaned = ImpulseRemoval(channels, **EXACT)(frames, estimate)
    estimate = SpectralMask(channels, **EXACT)(cleaned)
    return Network(signal, layers.Reshape((-1, 1))(estimate), name, **about)


@keras.saving.register_keras_serializable(package="recon")
class LinearExperts(layers.Layer):
    """A softmax gate that chooses among linear maps of a frame's knots, its every hold-th samples.

    The gate sees the shape of the knots, whatever their amplitude, and where they change; the maps
    see the knots themselves, so a louder waveform is answered louder. One map needs no gate.

    Input shape: [batch, frames, frame_length]. Output shape: [batch, frames, outputs].
    """

    @checks.checked(outputs=checks.SIZE)
    def __init__(self, experts, outputs, hold_length, **kwargs):
        super().__init__(**kwargs)
        self.experts, self.outputs, self.hold_length = experts, outputs, hold_length
        hidden = layers.Dense(64, activation="relu", **EXACT)
        last = layers.Dense(experts, activation="softmax", **EXACT)
        self.gate = keras.Sequential([hidden, last])
        self.maps = layers.Dense(experts * outputs, **EXACT)

    def build(self, input_shape):
        """What it holds is built as a frame of silence passes."""
        self.call(ops.zeros((1, 1, input_shape[-1])))

    def call(self, frames):
        answers = self.maps(frames[..., :: self.hold_length])
        if self.experts == 1:
            return answers
        answers = ops.reshape(answers, (*ops.shape(answers)[:2], self.experts, self.outputs))
        return ops.sum(self.choice(frames)[..., None] * answers, axis=-2)

    def choice(self, frames):
        """How much each map has to say, [batch, frames, experts], summing to 1."""
        knots = frames[..., :: self.hold_length]
        shape = knots / (ops.max(ops.abs(knots), axis=-1, keepdims=True) + 1e-6)
        change = ops.abs(shape[..., 1:] - shape[..., :-1])
        changed = change / (change + 1e-4)  # 0 where a value is held, else almost 1
        return self.gate(ops.concatenate([shape, changed], axis=-1))


def mixture(*, frame_length=100, hold_length=10, experts=32, rank=None, name="mixture", **about):
    """Time quantization as a choice among linear maps, as the physics has it.

    Where the knots decide the waveform, it is a linear function of them; which one depends on the
    cycle count and on the hold length, and that is the gate's business. One expert is plain linear
    regression. Frames are restored one by one, the last one padded with zeros.

    Args:
        frame_length: samples per frame, a multiple of hold_length.
        hold_length: samples per knot; 1 if it is not known, then every sample is looked at.
        experts: linear maps to choose from, at least as many as there are cases; spare ones make it
            likelier that every case finds one.
        rank: how many dimensions the answers of all experts span, to spare weights; None for all.
        name, about: of the model, as in `Network`.

    Returns:
        Network, [batch, n_samples, 1] -> the same shape, any n_samples; linear output.

    Raises:
        ValueError: if frame_length is not a multiple of hold_length.

    Source: Jacobs, Jordan, Nowlan and Hinton, "Adaptive Mixtures of Local Experts", 1991.

    >>> mixture()(np.zeros([2, 256, 1])).shape
    TensorShape([2, 256, 1])
    """
    rule = f"frame_length must be a multiple of hold_length {hold_length}"
    checks.require(frame_length % hold_length == 0, rule, frame_length)
    signal = keras.Input((None, 1))
    x = layers.Reshape((-1, frame_length))(signal)
    x = LinearExperts(experts, rank or frame_length, hold_length, **EXACT)(x)
    if rank:
        x = layers.Dense(frame_length, use_bias=False)(x)
    return Network(signal, layers.Reshape((-1, 1))(x), name, **about)


LAST = {"data_format": "channels_last"}  # whatever Keras' user has set
EXACT = {"dtype": "float32"}  # what the signal itself goes through, if the rest is bfloat16
EVEN = partial(checks.EVEN, low=8)  # samples of a frame that has a spectrum worth the name


class _Spectral(layers.Layer):
    """What works on spectra of frames, half a frame apart under a sine window, before and after.

    `hops` is how many halves of a frame, on either side of its own, a sample depends on. Signals
    [batch, n_samples, 1] are whole halves long.
    """

    def __init__(self, frame_length, **options):
        super().__init__(**options)
        self.frame_length, self.hops = EVEN("frame_length", frame_length), 1

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

    Where the gain is 1, nothing changes. The gain a^2 / (a^2 + b^2) comes from roots of magnitudes
    through convolutions over time and frequency without biases: the same at every loudness, and at
    every rate. Two bins share a position of the convolutions, which halves their work.

    Input shape: two signals [batch, n_samples, 1], whose length is a multiple of half a frame: what
    is to be changed, and what else to look at. Output shape: the signal's.

    Args:
        frame_length: samples, even.
        channels: of the convolutions.
        dilations: of their residual blocks, in time and frequency alike.
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
    """How far each sample is from what its neighbours on both sides let expect.

    The best linear prediction of one sample from all others, in a signal with the power spectrum
    P(f), errs by the signal filtered with 1 / P(f), over the mean of 1 / P(f) (Kolmogorov, 1941).
    P is the power of each frame, smoothed over nine bins. Nothing is learnt here.

    Input and output shape: [batch, n_samples, 1], n_samples a multiple of half a frame.

    Args:
        frame_length: samples, even.
    """

    def call(self, signal):
        real, imaginary = self._spectra(signal)
        power = real**2 + imaginary**2
        bins = power.shape[-1]
        kernel = np.float32(np.hanning(11)[1:-1, None, None])
        rows = ops.pad(power, [[0, 0], [0, 0], [4, 4]], mode="reflect")
        rows = ops.reshape(rows, (-1, bins + 8, 1))
        power = ops.reshape(ops.conv(rows, kernel, **LAST), ops.shape(power))
        # The floor keeps the filter short: frequencies that hold next to nothing tell little.
        power += 1e-3 * ops.mean(power, axis=-1, keepdims=True) + 1e-12
        twice = np.float32([1, *[2] * (bins - 2), 1]) / (2 * bins - 2)  # bins of both halves
        scale = 1 / (power * ops.sum(twice / power, axis=-1, keepdims=True))
        return self._overlapped(scale * real, scale * imaginary, signal)


@keras.saving.register_keras_serializable(package="recon")
class SpectralShares(_Spectral):
    """Share out the spectrum of the knots among the frequencies that are one in it.

    Who keeps every hold_length-th sample folds hold_length frequencies onto each other. The best
    linear estimate of one of them is what was kept times its share in their power (Wiener, 1949).
    At first the shares are those of a power that falls as the frequency to the minus fourth, which
    makes the cubic spline (Unser, 1999). Convolutions over time and frequency learn to change them.

    Input shape: a held signal, whose first sample is a knot, and an estimate of what it was, both
    [batch, n_samples, 1], n_samples a multiple of half a frame. Output shape: the same, a better
    estimate, in which the knots are as they were.

    Args:
        hold_length: samples per knot.
        frame_length: samples, a multiple of 2 hold_length.
        channels: of the convolutions.
        dilations: of their residual blocks, in time and frequency alike.
    """

    @checks.checked(hold_length=partial(checks.LENGTH, low=2))
    def __init__(self, hold_length, frame_length, channels, dilations, **options):
        super().__init__(frame_length, **options)
        self.hold_length, self.channels, self.dilations = hold_length, channels, dilations
        rule = f"frame_length must be a multiple of {2 * hold_length}"
        checks.require(frame_length % (2 * hold_length) == 0, rule, frame_length)
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
        """The bins of a frame that fold onto each bin of the knots, [bins, hold_length]."""
        bin, row = np.ogrid[: self.bins, : self.hold_length]
        return (row + 1) // 2 * 2 * (self.bins - 1) + (-1) ** row * bin

    def call(self, held, estimate):
        hold_length, folded = self.hold_length, self._folded()
        samples = ops.shape(held)
        first = np.eye(hold_length, dtype=np.float32)[0]
        by_knot = (samples[0], samples[1] // hold_length, hold_length)
        knots = ops.reshape(held, by_knot) * first  # zeros after each
        real, imaginary = self._spectra(ops.reshape(knots, samples))
        kept = (real**2 + imaginary**2)[..., : self.bins]
        power = sum(part**2 for part in self._spectra(estimate))
        mean = ops.pad(ops.mean(power, axis=-1, keepdims=True), [[0, 0], [2, 2], [0, 0]])
        mean = ops.average_pool(mean, 5, strides=1, **LAST) + 1e-12
        seen = ops.concatenate([kept[..., None], ops.take(power, folded, axis=-1)], axis=-1)
        seen = ops.log(seen / mean[..., None] + 1e-7) / 4
        place = np.linspace(-1, 1, self.bins, dtype=np.float32)[:, None]
        x = ops.concatenate([seen, ops.ones_like(seen[..., :1]) * place], axis=-1)
        spare = self.positions * self.together - self.bins
        x = ops.pad(x, [[0, 0], [0, 0], [0, spare], [0, 0]])
        frames = (samples[0], -1, self.positions)
        x = self.first(ops.reshape(x, (*frames, self.together * x.shape[-1])))
        # Changes nothing; TensorFlow complains where a convolution with a bias is read twice.
        x = ops.leaky_relu(x, 1.0)
        for one, other, narrow, wide in self.blocks:
            x += other(_leaky(one(_leaky(x))))
            x += wide(ops.relu(narrow(x)))
        change = self.last(_leaky(self.norm(x)))
        change = ops.reshape(change, (samples[0], -1, self.bins + spare, hold_length))
        change = 8 * ops.softsign(ops.cast(change, "float32")[:, :, : self.bins] / 8)
        spline = -4 * np.log(np.maximum(folded, 0.5))
        shares = ops.softmax(change + np.float32(spline))
        _, unfolded = np.unique(folded, return_index=True)
        shares = ops.reshape(shares, (samples[0], -1, folded.size))
        gain = hold_length * ops.take(shares, unfolded, axis=-1)
        x = ops.reshape(self._overlapped(gain * real, gain * imaginary, held), by_knot)
        return ops.reshape(x * (1 - first) + knots, samples)


def _leaky(x):
    return ops.leaky_relu(x, 0.1)


class _Across(layers.Layer):
    """A dense layer across frequencies, [..., bins, channels] -> [..., units, channels].

    A product from the left, which `layers.EinsumDense` would wrap in transpositions: with them the
    whole network takes a third longer.
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

    The power makes the choice sharp, and keeps it the same at every loudness: a network without
    biases can choose so, where sums of rectifiers take long to tell one answer from another.

    Input shape: answers [batch, positions, count * samples], one behind the other; roots of their
    weights, [batch, positions, count], or count * samples of them for a choice at every sample.
    Output shape: [batch, positions, samples].

    Args:
        count: answers to choose from.
    """

    def __init__(self, count, **options):
        super().__init__(**options)
        self.count = count

    def call(self, answers, roots):
        roots = ops.split(ops.cast(roots, "float32"), self.count, axis=-1)
        largest = reduce(ops.maximum, map(ops.abs, roots)) + 1e-20
        # Equal where nothing is said.
        weights = [ops.square(ops.square(root / largest)) + 1e-20 for root in roots]
        answers = ops.split(answers, self.count, axis=-1)
        return sum(map(ops.multiply, weights, answers)) / sum(weights)


def _gains(name, values):
    """The rule of several (frame_length, channels, dilations)."""
    gains = [checks.listed(gain) for gain in checks.listed(values)]
    usable = checks.iterable(values) and all(len(gain) == 3 for gain in gains)
    rule = f"{name} must be several (frame_length, channels, dilations)"
    checks.require(usable, rule, repr(values))
    rules = EVEN, checks.SIZE, checks.SEVERAL
    return [
        tuple(rule(f"{name}[{i}][{j}]", gain[j]) for j, rule in enumerate(rules))
        for i, gain in enumerate(gains)
    ]


@checks.checked(frame_length=EVEN, gains=_gains)
def denoiser(
    *,
    position=8,
    channels=48,
    dilations=(1, 2, 4, 8),
    frame_length=512,
    gains=((2048, 16, (1, 2)), (512, 16, (1, 2, 4))),
    name="denoiser",
    **about,
):
    """Hiss and clicks out of recordings: clicks where they are short, hiss where it is flat.

    A dilated network on positions of several samples takes out what stands out in time. From that
    estimate follows what each sample would be if its neighbours on both sides were all that is
    known (`Surprise`); sample by sample the network chooses between the corrupted signal, its
    estimate and this expectation. Spectral gains, with long frames and then short ones, take out
    what fills the spectrum. Nothing has a bias, so a signal twice as loud is answered twice as
    loud: no level has to be learnt, and a network trained on one level of hiss serves others
    (Mohan et al., 2020).

    Args:
        position: samples that make one position of the network in time.
        channels, dilations: of that network.
        frame_length: samples whose spectrum tells what neighbours let expect.
        gains: frame length, channels and dilations of each `SpectralGain`.
        name, about: of the model, as in `Network`.

    Returns:
        Network, [batch, n_samples, 1] -> the same shape, any n_samples; linear output.

    Source: van den Oord et al., "WaveNet", 2016, for dilations; Kolmogorov, "Interpolation and
    Extrapolation of Stationary Random Sequences", 1941, for expectations; Ephraim and Malah,
    "Speech Enhancement Using a Minimum Mean-Square Error Short-Time Spectral Amplitude Estimator",
    1984, for gains; Mohan, Kadkhodaie, Simoncelli and Fernandez-Granda, "Robust and Interpretable
    Blind Image Denoising via Bias-Free Convolutional Neural Networks", 2020.

    >>> denoiser(sample_rate=8000)(np.zeros([2, 1001, 1])).shape
    TensorShape([2, 1001, 1])
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
    for frame_length, breadth, spread in gains:
        x = SpectralGain(frame_length, breadth, spread, **EXACT)(x, signal)
    return Network(signal, x, name, **about)


@checks.checked(hold_length=partial(checks.WHOLE, low=2))
def interpolator(
    *,
    hold_length,
    frame_lengths=(1536, 384),
    channels=32,
    dilations=(1, 2, 4),
    name="interpolator",
    **about,
):
    """Recordings quantized in time: the samples between the knots; the knots stay as they are.

    What a frequency of the knots was before they were kept is a question of shares, see
    `SpectralShares`: with long frames first, then with short ones that see the estimate so far.

    Args:
        hold_length: samples per knot, at least 2; the first sample is a knot.
        frame_lengths: samples, of each `SpectralShares`, multiples of 2 hold_length.
        channels, dilations: of each.
        name, about: of the model, as in `Network`.

    Returns:
        Network, [batch, n_samples, 1] -> the same shape, any n_samples; linear output.

    Raises:
        ValueError: if a frame length is no multiple of 2 hold_length.

    Source: Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time Series", 1949;
    Unser, "Splines: A Perfect Fit for Signal and Image Processing", 1999.

    >>> interpolator(hold_length=6)(np.zeros([2, 1001, 1])).shape
    TensorShape([2, 1001, 1])
    """
    signal = keras.Input((None, 1))
    x = signal
    for frame_length in frame_lengths:
        x = SpectralShares(hold_length, frame_length, channels, dilations, **EXACT)(signal, x)
    return Network(signal, x, name, hold_length=hold_length, **about)


def _dilated(x, dilations):
    """Residual blocks without biases; each adds what it sees at its own distance."""
    channels = x.shape[-1]
    for dilation in dilations:
        y = _convolution(channels, 3, dilation_rate=dilation)(layers.ReLU()(x))
        x = layers.Add()([x, _convolution(channels, 3)(layers.ReLU()(y))])
    return layers.ReLU()(x)


def _convolution(channels, kernel_size, **options):
    return layers.Conv1D(channels, kernel_size, padding="same", use_bias=False, **options)


def _residual(x):
    """Two convolutions whose result is added to their input (He et al., 2016)."""
    y = layers.Conv1D(x.shape[-1], 3, **RECTIFIED)(x)
    y = layers.Conv1D(x.shape[-1], 3, padding="same")(y)
    return layers.ReLU()(layers.Add()([x, y]))


# How far a network looks. A reach is (samples, block): an integer array [positions, 2] with the
# first and the last input sample that each position of a tensor may depend on, for a stretch of
# `block` input samples, after which it repeats, shifted.

NOTHING = 2**40, -(2**40)
LONGEST = 2**17  # samples of a stretch: of frames and strides the least common multiple
READERS = (
    layers.Conv1D,
    layers.SeparableConv1D,
    layers.DepthwiseConv1D,
    layers.MaxPooling1D,
    layers.AveragePooling1D,
)


def _receptive_field(model):
    """(left, right, stride) of a functional model, found by walking its graph."""
    shapes = [tuple(tensor.shape) for tensor in (*model.inputs, *model.outputs)]
    rule = "network must map [batch, n_samples, 1] to the same shape, any n_samples"
    checks.require(shapes[:-1] == [(None, None, 1)] and shapes[-1][2:] == (1,), rule, shapes)
    samples, stride = _walk(model, [(np.zeros((1, 2), np.int64), 1)])
    checks.require(len(samples) == stride, rule, f"{len(samples)} for {stride} samples")
    here = np.arange(stride)
    left, right = (here - samples[:, 0]).max(), (samples[:, 1] - here).max()
    return max(0, int(left)), max(0, int(right)), stride


def _walk(model, inputs):
    """The reach of a model's output, given those of its inputs."""
    known = {id(tensor): reach for tensor, reach in zip(model.inputs, inputs, strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):  # from the inputs on
        for node in model._nodes_by_depth[depth]:
            if not node.is_input:
                reach = _reach(node, [known[id(tensor)] for tensor in node.input_tensors])
                known |= {id(tensor): reach for tensor in node.output_tensors}
    return known[id(model.outputs[0])]


def _reach(node, inputs):
    """The reach of what a layer writes, given those of what it reads."""
    layer = getattr(node.operation, "_functional", node.operation)  # that of a keras.Sequential
    samples, block = inputs[0]
    if isinstance(layer, keras.Model):
        return _walk(layer, inputs)
    if isinstance(layer, layers.Reshape) and layer.target_shape[:-1] == (-1,):
        before, after = node.input_tensors[0].shape[-1], layer.target_shape[1]
        numbers = len(samples) * before
        samples, block = _repeated(samples, block, after // gcd(after, numbers))
        return _union(np.repeat(samples, before, axis=0).reshape(-1, after, 2)), block
    if isinstance(layer, (*READERS, layers.Conv1DTranspose)):
        (size,) = getattr(layer, "kernel_size", None) or layer.pool_size
        (step,), (dilation,) = layer.strides, getattr(layer, "dilation_rate", (1,))
        span = (size - 1) * dilation + 1
        if getattr(layer, "output_padding", None) is not None:
            _refuse(layer, "which changes the length: its output_padding has to be None")
        if layer.padding == "valid" and span > step:
            _refuse(layer, "which changes the length: its padding has to be 'same'")
        before = span - 1 if layer.padding == "causal" else max(span - step, 0) // 2
        if isinstance(layer, READERS):
            samples, block = _repeated(samples, block, step // gcd(step, len(samples)))
            starts = np.arange(len(samples) // step)[:, None] * step - before
            return _gathered(samples, block, starts + dilation * np.arange(size)), block
        # Position p writes to p * step - before, and every dilation-th after it.
        written = np.arange(len(samples) * step)[:, None] + before
        read = written // step - np.arange(-(-span // step) + 1)
        return _gathered(samples, block, read, written - read * step < span), block
    if isinstance(layer, layers.UpSampling1D):
        return np.repeat(samples, layer.size, axis=0), block
    hop_length = layer.frame_length // 2 if isinstance(layer, _Spectral) else 1
    stretch = int(np.lcm.reduce([hop_length, *(block for _, block in inputs)]))
    parts = [_repeated(samples, block, stretch // block)[0] for samples, block in inputs]
    if len({len(part) for part in parts}) > 1:
        _refuse(layer, "whose inputs differ in length")
    samples = _union(np.stack(parts, axis=1))
    if hop_length == 1:
        _check_alone(node)
        return samples, stretch
    if len(samples) != stretch:
        _refuse(layer, "which takes signals alone")
    # Whole hops, on either side of a position's own: what begins first, what ends last.
    hops = np.arange(0, stretch, hop_length)[:, None]
    ends = [hops - layer.hops * hop_length, hops + (layer.hops + 1) * hop_length - stretch]
    read = np.hstack([end + np.arange(stretch) for end in ends])
    return np.repeat(_gathered(samples, stretch, read), hop_length, axis=0), stretch


def _repeated(samples, block, times):
    """The reach of a stretch that is longer by a factor."""
    rule = f"network must repeat itself within {LONGEST} samples"
    checks.require(block * times <= LONGEST, rule, block * times)
    shifts = block * np.arange(times)[:, None, None]
    return (samples + shifts).reshape(-1, 2), block * times


def _gathered(samples, block, index, valid=True):
    """What lies behind any of the positions index [positions, taps]; those outside of the stretch
    lie in the ones before and after."""
    taps = samples[index % len(samples)] + (index // len(samples) * block)[..., None]
    taps[~np.broadcast_to(valid, index.shape)] = NOTHING
    return _union(taps)


def _union(samples):
    """What lies behind any of the entries along the second axis, [positions, entries, 2]."""
    return np.stack([samples[..., 0].min(1), samples[..., 1].max(1)], axis=-1)


def _check_alone(node):
    """Refuse a layer whose answer at a position depends on more than that position.

    One of many is spoilt: NaN gets through zero weights, closed gates and dead units, a large
    number through a maximum. The others may not change, and a constant is answered by a constant.
    """
    random = np.random.default_rng(0)
    count = max(5, min(499, 2**15 // max(tensor.shape[-1] for tensor in node.input_tensors)))
    usual = [random.uniform(0.5, 1.5, (1, 1, tensor.shape[-1])) for tensor in node.input_tensors]

    def answer(harm):
        values = [np.tile(value, (1, count, 1)).astype(np.float32) for value in usual]
        for value in values:
            value[:, count // 3] += harm
        values = map(ops.convert_to_tensor, values)
        filled = dict(zip(map(id, node.input_tensors), values, strict=True))
        args, kwargs = node.arguments.fill_in(filled)
        return ops.convert_to_numpy(node.operation(*args, **kwargs))

    plain = answer(0)
    if plain.ndim != 3 or plain.shape[1] != count:
        _refuse(node.operation, "which changes the length")
    for harm in (0, np.nan, 1e4):
        others = np.delete(answer(harm), count // 3, axis=1)
        if not np.allclose(others, plain[:, :1], rtol=1e-3, atol=1e-5):
            _refuse(node.operation, "which reads other positions than its own")


def _refuse(layer, why):
    found = f"the layer {layer.name!r} of {type(layer).__name__}, {why}"
    raise ValueError(f"network must be local in time, got {found}")


checks.guard(__name__)

"""The experiments' networks: Keras layers and `keras.ops` only, so any Keras backend runs them.

Every builder returns a `Network`: signals [batch, n_samples, 1] of any length in, the same shape
out. It knows how far it looks, so that `framing` can join chunks exactly. Why these shapes: section
5 of the notebooks.
"""

from fractions import Fraction
from math import gcd, lcm

import keras
import numpy as np
from keras import layers, ops

from recon import settings

RECTIFIED = {"padding": "same", "activation": "relu"}  # what most convolutions share
EXACT = {"dtype": "float32"}  # what the signal itself goes through, if the rest is bfloat16


@keras.saving.register_keras_serializable(package="recon")
class Network(keras.Model):
    """A Keras model of layers that are local in time, for signals of any length.

    Write it as any functional model, and say `Network` where Keras says `Model`. The signal is
    padded with zeros to whole strides, and the answer cropped.

    Args:
        inputs: keras.Input((None, 1)).
        outputs: tensor [batch, n_samples, 1].
        sample_rate: Hz, of the recordings that it is for, or (lowest, highest); None for any.
        purpose: what it restores, in a few words.
        hold_length: samples per knot, if it restores a hold, and takes the first sample for a knot.

    Attributes:
        receptive_field: (left, right, stride) in samples. Output n depends on inputs n - left to
            n + right at most; a shift of the input by `stride` samples shifts the output alike.

    >>> signal = keras.Input((None, 1))
    >>> Network(signal, layers.Conv1D(1, 5, padding="same")(signal)).receptive_field
    (2, 2, 1)
    """

    # Keras restores a model by these names.
    def __init__(
        self, inputs, outputs, name=None, *, sample_rate=None, purpose="", hold_length=None, **rest
    ):
        super().__init__(inputs, outputs, name=name, **rest)
        self.receptive_field = receptive_field(self)
        self.sample_rate, self.purpose, self.hold_length = sample_rate, purpose, hold_length

    def call(self, signal, training=None, mask=None):
        n_samples = ops.shape(signal)[1]
        padding = -n_samples % self.receptive_field[2]
        padded = ops.pad(signal, [[0, 0], [0, padding], [0, 0]])
        return super().call(padded, training=training)[:, :n_samples]

    def get_config(self):
        about = ("sample_rate", "purpose", "hold_length")
        return super().get_config() | {name: getattr(self, name) for name in about}


def as_network(model):
    """The model itself if it has a `receptive_field`, else a Network of its layers."""
    if hasattr(model, "receptive_field"):
        return model
    return Network(model.inputs[0], model.outputs[0], name=model.name)


def copy(model, **about):
    """A network with the same weights, which shares nothing with the first; `about` it, such as its
    `purpose`, may change."""
    twin = Network.from_config(model.get_config() | about)
    twin.set_weights(model.get_weights())
    return twin


def save(model, path):
    """Save a functional Keras model without its optimizer. `path`, which ends in .keras, holds the
    old one or the new one, never half of either."""
    with settings.replacing(path) as beside:
        copy(as_network(model)).save(beside)


# How far a network looks. The reach of a tensor is (step, left, right, stride): position p stands
# at the input sample p * step and depends on those from p * step - left to p * step + right, at
# most; shifting the input by `stride` samples, a multiple of the step, shifts the tensor alike. A
# step may be a fraction; its numerator is its smallest whole multiple.

# Layers and operations, x + y for one, that make a position of that position alone.
NAMES = """Activation Add Average BatchNormalization Concatenate Dense Dropout ELU GaussianNoise
    Identity LayerNormalization LeakyReLU Maximum Minimum Multiply ReLU Relu Rescaling Softmax
    Subtract"""
POINTWISE = NAMES.split()
WINDOWS = layers.Conv1D, layers.DepthwiseConv1D, layers.SeparableConv1D
WINDOWS += layers.AveragePooling1D, layers.MaxPooling1D


def receptive_field(model):
    """(left, right, stride) of a functional model in samples, added up along its graph.

    Keras' local layers are known; a layer of one's own says its `receptive_field` in positions.

    Raises:
        ValueError: naming a layer that says nothing, or if the model changes the signal's length.
    """
    step, left, right, stride = _walk(model, [(Fraction(1), 0, 0, 1)])
    if step != 1:
        raise ValueError(f"network must keep the length of the signal, got one of {step}")
    return int(left), int(right), stride


def _walk(model, reaches):
    """The reach of a model's output, given those of its inputs."""
    known = {id(tensor): reach for tensor, reach in zip(model.inputs, reaches, strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):  # from the inputs on
        for node in model._nodes_by_depth[depth]:
            if not node.is_input:
                layer = getattr(node.operation, "_functional", node.operation)  # of a Sequential
                reaches = [known[id(tensor)] for tensor in node.input_tensors]
                known[id(node.output_tensors[0])] = _reach(layer, node.input_tensors[0], reaches)
    return known[id(model.outputs[0])]


def _reach(layer, tensor, reaches):
    """The reach of what a layer writes, given a tensor that it reads, and the reach of all."""
    (step, *others), lefts, rights, strides = zip(*reaches, strict=True)
    left, right, stride = max(lefts), max(rights), lcm(*strides)
    if any(other != step for other in others):
        raise ValueError(f"network must join tensors of one rate, got several in {layer.name!r}")
    if hasattr(layer, "receptive_field"):
        before, after, wide = layer.receptive_field
        left, right = left + before * step, right + after * step
        return step, left, right, lcm(stride, (wide * step).numerator)
    if isinstance(layer, keras.Model):
        return _walk(layer, reaches)
    if type(layer).__name__ in POINTWISE and getattr(layer, "axis", -1) in (-1, 2, [-1], [2]):
        return step, left, right, stride
    if isinstance(layer, layers.UpSampling1D):
        return step / layer.size, left + step - step / layer.size, right, stride
    if isinstance(layer, layers.Reshape) and layer.target_shape[0] == -1:
        before, after = tensor.shape[-1], layer.target_shape[1]
        share, common = step / before, gcd(before, after)  # samples per channel
        left, right = left + (before - common) * share, right + (after - common) * share
        return after * share, left, right, lcm(stride, (after * share).numerator)
    if isinstance(layer, (*WINDOWS, layers.Conv1DTranspose)):
        (size,) = getattr(layer, "kernel_size", None) or layer.pool_size
        (hop,), (dilation,) = layer.strides, getattr(layer, "dilation_rate", (1,))
        span = (size - 1) * dilation + 1
        before = span - 1 if layer.padding == "causal" else max(span - hop, 0) // 2
        longer = getattr(layer, "output_padding", None) is not None
        if not longer and (layer.padding != "valid" or span <= hop):  # else the length changes
            if isinstance(layer, WINDOWS):
                left, right = left + before * step, right + (span - 1 - before) * step
                return step * hop, left, right, lcm(stride, (step * hop).numerator)
            step /= hop
            return step, left + (span - 1 - before) * step, right + before * step, stride
    kind = f"{layer.name!r} of {type(layer).__name__}"
    raise ValueError(f"network must be of layers with a receptive_field, got {kind}")


def encoder_decoder(
    *, channels=(32, 96, 192, 256), kernel_sizes=(16, 8, 5, 3), factors=(4, 4, 2), **about
):
    """Convolutions and pooling down, upsampling and convolutions up, nothing in between.

    Upsampling is sub-pixel (Shi et al., 2016): each position writes its successors side by side,
    so that they can differ, as the samples of a fast wave do.

    Args:
        channels: per level, from the full rate to the bottleneck.
        kernel_sizes: of the convolutions on the way down, one per level.
        factors: by which each level but the last is pooled.
        about: `name` and others of a `Network`.
    """
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
    return Network(signal, layers.Reshape((-1, 1))(x), **{"name": "encoder_decoder"} | about)


def unet(*, stem=32, window=2, channels=(192, 256), front=0, stages=1, **about):
    """A U-Net (Ronneberger, Fischer and Brox, 2015) on a strided stem, or several in a row.

    The stem turns every `stem` samples into one position, as a learned filter bank. The last layer
    is another: every position writes a waveform, and waveforms overlap, so that their errors
    average (after Luo and Mesgarani, 2019). A further stage sees the estimate so far and what it
    leaves over, and corrects it (after Moliner and Välimäki, 2022).

    Args:
        stem: samples per position.
        window: positions that the filters of both banks span.
        channels: per level, from the stem's rate to the bottleneck; each level halves the rate.
        front: channels of a part before each stem that corrects samples; 0 for none.
        stages: U-Nets in a row.
        about: `name` and others of a `Network`.
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
    return Network(signal, estimate, **{"name": "unet"} | about)


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


def _residual(x):
    """Two convolutions whose result is added to their input (He et al., 2016)."""
    y = layers.Conv1D(x.shape[-1], 3, **RECTIFIED)(x)
    y = layers.Conv1D(x.shape[-1], 3, padding="same")(y)
    return layers.ReLU()(layers.Add()([x, y]))


@keras.saving.register_keras_serializable(package="recon")
class SpectralMask(layers.Layer):
    """Scale every bin of a frame's spectrum by a gain in [0, 1], learnt from the bins' powers.

    One small network serves all bins. It sees a bin's power against the frame's mean and against
    the largest bin, so it works at any amplitude and any pitch.

    Input and output shape: [batch, frames, frame_length].
    """

    receptive_field = (0, 0, 1)  # positions

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

    An impulse of the learnt size is subtracted, times its probability. In Gaussian noise
    its log odds are size (|r| - size / 2) / variance + log(rate / 2), with r the residual. A small
    network corrects slope and rate by what three moments of the residual show.

    Input shape: corrupted frames and the estimate so far, both [batch, frames, frame_length].
    Output shape: the same, the corrupted frames without impulses.
    """

    receptive_field = (0, 0, 1)  # positions

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        # Zeros: it starts without a say, or the first steps can drive the rate to nothing.
        self.correction = _pointwise(channels, 2, activation="tanh", kernel_initializer="zeros")

    def build(self, corrupted_shape, estimate_shape):
        self.correction.build((None, None, 3))
        self.size = self.add_weight(name="size", initializer=keras.initializers.Constant(0.5))

    def call(self, corrupted, estimate):
        residual = corrupted - estimate
        magnitude = ops.abs(residual)
        # Impulses are few and large: they move the spread most, the mean root least.
        spread = ops.sqrt(_mean(magnitude**2) + 1e-12)
        mean = _mean(magnitude) + 1e-6
        root = _mean(ops.sqrt(magnitude + 1e-9)) ** 2
        # Each feature lies within a few units of 0.
        seen = [ops.log(spread) + 3, 5 * ops.log(spread / mean) - 1, 10 * ops.log(mean / root) - 2]
        slope, rate = ops.split(self.correction(ops.concatenate(seen, axis=-1)), 2, axis=-1)
        variance = np.pi / 2 * mean**2 + 1e-4  # of Gaussian noise with this mean size
        odds = ops.exp(slope) * self.size / variance * (magnitude - self.size / 2) + rate - 5
        return corrupted - self.size * ops.sign(residual) * ops.sigmoid(odds)


def _mean(frames):
    return ops.mean(frames, axis=-1, keepdims=True)


def _pointwise(channels, outputs=1, *, activation="relu", **last):
    """A network of two hidden layers that maps the last axis to `outputs` numbers."""
    hidden = [layers.Dense(channels, activation=activation, **EXACT) for _ in range(2)]
    return keras.Sequential([*hidden, layers.Dense(outputs, **EXACT, **last)])


def unrolled(*, frame_length=256, channels=16, **about):
    """Noise reduction as an unrolled iteration (after Gregor and LeCun, 2010).

    Spectral mask; take out what the residual shows to be impulses; mask again. Frames are restored
    one by one, the last one padded with zeros.

    Args:
        frame_length: samples per frame, even; whole cycles per frame are what it is best at.
        channels: of the small networks' hidden layers.
        about: `name` and others of a `Network`.
    """
    signal = keras.Input((None, 1))
    frames = layers.Reshape((-1, frame_length))(signal)
    estimate = SpectralMask(channels, **EXACT)(frames)
    cleaned = ImpulseRemoval(channels, **EXACT)(frames, estimate)
    estimate = SpectralMask(channels, **EXACT)(cleaned)
    return Network(signal, layers.Reshape((-1, 1))(estimate), **{"name": "unrolled"} | about)


@keras.saving.register_keras_serializable(package="recon")
class LinearExperts(layers.Layer):
    """A softmax gate that chooses among linear maps of a frame's knots.

    The gate sees the shape of the knots, whatever their amplitude, and where they change; the maps
    see the knots themselves. One map needs no gate.

    Input shape: [batch, frames, frame_length]. Output shape: [batch, frames, outputs].
    """

    receptive_field = (0, 0, 1)  # positions

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


def mixture(*, frame_length=100, hold_length=10, experts=32, rank=None, **about):
    """Time quantization as a choice among linear maps (after Jacobs et al., 1991).

    Where the knots decide the waveform, it is a linear function of them; the gate finds out which.
    One expert is plain linear regression. Frames are restored one by one, the last one padded with
    zeros.

    Args:
        frame_length: samples per frame.
        hold_length: samples per knot; 1 if it is not known, then every sample is looked at.
        experts: linear maps to choose from; some are to spare.
        rank: how many dimensions the answers of all experts span, to spare weights; None for all.
        about: `name` and others of a `Network`.
    """
    signal = keras.Input((None, 1))
    x = layers.Reshape((-1, frame_length))(signal)
    x = LinearExperts(experts, rank or frame_length, hold_length, **EXACT)(x)
    if rank:
        x = layers.Dense(frame_length, use_bias=False)(x)
    return Network(signal, layers.Reshape((-1, 1))(x), **{"name": "mixture"} | about)

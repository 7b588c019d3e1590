"""Networks: Keras layers and `keras.ops` only, so that any Keras backend can run them.

Every builder takes signals [batch, n_samples, 1] of any length and returns the same shape: the
model owns its padding and cropping, and declares how far it looks, so that `framing` can join
chunks exactly. Shapes in comments are [positions, channels]. Why these shapes: section 5 of the
notebooks.
"""

import os
import zipfile

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="recon")
class PadToMultiple(layers.Layer):
    """Append zeros in time until the length is a multiple of `multiple`.

    Input shape: [batch, n_samples, channels]. Output shape: [batch, ceil(n_samples / multiple)
    * multiple, channels].
    """

    def __init__(self, multiple, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, signal):
        missing = -ops.shape(signal)[1] % self.multiple
        return ops.pad(signal, [[0, 0], [0, missing], [0, 0]])

    def compute_output_shape(self, input_shape):
        batch, n_samples, channels = input_shape
        if n_samples is not None:
            n_samples += -n_samples % self.multiple
        return batch, n_samples, channels

    def get_config(self):
        return super().get_config() | {"multiple": self.multiple}


@keras.saving.register_keras_serializable(package="recon")
class CropToInput(layers.Layer):
    """Undo the padding: keep as many samples as the model's input has.

    Input shape: the padded estimate and the model's input, both [batch, n_samples, channels].
    Output shape: the estimate with the input's n_samples. Carries the model's `receptive_field`
    (left, right, stride) in samples and the `sample_rate` in Hz of the recordings that it is for,
    if there is one, so that they are saved and loaded with the model.
    """

    def __init__(self, receptive_field, sample_rate=None, **kwargs):
        super().__init__(**kwargs)
        self.receptive_field, self.sample_rate = tuple(receptive_field), sample_rate

    def call(self, estimate, signal):
        return estimate[:, : ops.shape(signal)[1]]

    def compute_output_shape(self, estimate_shape, signal_shape):
        return estimate_shape[0], signal_shape[1], estimate_shape[2]

    def get_config(self):
        about = {"receptive_field": self.receptive_field, "sample_rate": self.sample_rate}
        return super().get_config() | about


def encoder_decoder(
    *,
    channels=(32, 96, 192, 256),
    kernel_sizes=(16, 8, 5, 3),
    factors=(4, 4, 2),
    name="encoder_decoder",
):
    """Convolutions and pooling down, upsampling and convolutions up, nothing in between.

    Upsampling is sub-pixel (Shi et al., 2016): each position writes its successors side by side,
    so that they can differ from each other, as the samples of a fast wave do.

    Args:
        channels: per level, from the full rate to the bottleneck.
        kernel_sizes: of the convolutions on the way down, one per level.
        factors: by which each level but the last is pooled.
        name: of the model.

    Returns:
        keras.Model, [batch, n_samples, 1] -> the same shape, any n_samples; linear output.

    >>> encoder_decoder()(np.zeros([2, 100, 1])).shape
    TensorShape([2, 100, 1])
    """
    signal = keras.Input((None, 1))
    x = PadToMultiple(int(np.prod(factors)))(signal)
    for filters, kernel_size, factor in zip(channels, kernel_sizes, factors, strict=False):
        x = layers.Conv1D(filters, kernel_size, padding="same", activation="relu")(x)
        x = layers.MaxPooling1D(factor)(x)
    x = layers.Conv1D(channels[-1], kernel_sizes[-1], padding="same", activation="relu")(x)
    for filters, factor in zip(channels[-3::-1], factors[:0:-1], strict=True):
        x = layers.Conv1D(factor * filters, 3, padding="same", activation="relu")(x)
        x = layers.Reshape((-1, filters))(x)
    x = layers.Conv1D(factors[0], 3, padding="same")(x)
    return _same_length(signal, layers.Reshape((-1, 1))(x), name)


def unet(*, stem=32, window=2, channels=(192, 256), kernel_size=3, front=0, name="unet"):
    """A U-Net (Ronneberger, Fischer and Brox, 2015) on a strided stem.

    The stem turns every `stem` samples into one position at once, as a learned filter bank, and the
    last layer writes `stem` samples per position (sub-pixel, Shi et al., 2016). In between, nothing
    runs at the full rate, where convolutions cost most and see least.

    Args:
        stem: samples per position.
        window: positions that the stem's filters span.
        channels: per level, from the stem's rate to the bottleneck; each level halves the rate.
        kernel_size: of the convolutions within a level.
        front: channels of a stage before the stem that corrects single samples at the full rate,
            which a stem can only blur; 0 for none.
        name: of the model.

    Returns:
        keras.Model, [batch, n_samples, 1] -> the same shape, any n_samples; linear output.

    >>> unet()(np.zeros([2, 100, 1])).shape
    TensorShape([2, 100, 1])
    """
    signal = keras.Input((None, 1))
    x = PadToMultiple(stem * 2 ** (len(channels) - 1))(signal)
    if front:  # [n_samples, 1] -> [n_samples, front] -> [n_samples, 1]
        y = layers.Conv1D(front, 5, padding="same", activation="relu")(x)
        y = layers.Conv1D(front, 5, padding="same", activation="relu")(y)
        x = layers.Add()([x, layers.Conv1D(1, 5, padding="same")(y)])
    # [n_samples, 1] -> [n_samples / stem, channels[0]]
    x = layers.Conv1D(channels[0], window * stem, strides=stem, padding="same", activation="relu")(
        x
    )
    skips = []
    for filters in channels[1:]:
        x = _residual(x, kernel_size)
        skips.append(x)
        x = layers.Conv1D(filters, 4, strides=2, padding="same", activation="relu")(x)
    x = _residual(x, kernel_size)
    for skip in reversed(skips):
        x = layers.Concatenate()([layers.UpSampling1D(2)(x), skip])
        x = layers.Conv1D(skip.shape[-1], kernel_size, padding="same", activation="relu")(x)
        x = _residual(x, kernel_size)
    x = layers.Conv1D(stem, 3, padding="same")(x)
    x = layers.Reshape((-1, 1))(x)  # [n_samples / stem, stem] -> [n_samples, 1]
    return _same_length(signal, x, name)


@keras.saving.register_keras_serializable(package="recon")
class SpectralMask(layers.Layer):
    """Scale every bin of a frame's spectrum by a gain in [0, 1], learnt from the bins' powers.

    One small network serves all bins. It sees a bin's power against the frame's mean and against
    the largest bin, neither loudness nor frequency, so it works at any amplitude and any pitch.

    Input and output shape: [batch, frames, frame_length].
    """

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
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

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"channels": self.channels}


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
        self.channels = channels
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

    def compute_output_shape(self, corrupted_shape, estimate_shape):
        return corrupted_shape

    def get_config(self):
        return super().get_config() | {"channels": self.channels}


def _mean(frames):
    return ops.mean(frames, axis=-1, keepdims=True)


def _pointwise(channels, outputs=1, *, activation="relu", **last):
    """A network of two hidden layers that maps the last axis to `outputs` numbers."""
    hidden = [layers.Dense(channels, activation=activation) for _ in range(2)]
    return keras.Sequential([*hidden, layers.Dense(outputs, **last)])


def unrolled(*, frame_length=256, steps=2, channels=16, name="unrolled"):
    """Noise reduction as an unrolled iteration: small networks steer the half-steps.

    Spectral mask; then `steps` times: take out what the residual shows to be impulses, mask again.
    Frames are restored one by one, the last one padded with zeros.

    Args:
        frame_length: samples per frame, even; whole cycles per frame are what it is best at.
        steps: how often impulses are taken out; 0 leaves a spectral mask.
        channels: of the small networks' hidden layers.
        name: of the model.

    Returns:
        keras.Model, [batch, n_samples, 1] -> the same shape, any n_samples; linear output.

    Source: Gregor and LeCun, "Learning Fast Approximations of Sparse Coding", 2010, for unrolling.

    >>> unrolled()(np.zeros([2, 100, 1])).shape
    TensorShape([2, 100, 1])
    """
    signal = keras.Input((None, 1))
    frames = layers.Reshape((-1, frame_length))(PadToMultiple(frame_length)(signal))
    estimate = SpectralMask(channels)(frames)
    for _ in range(steps):
        cleaned = ImpulseRemoval(channels)(frames, estimate)
        estimate = SpectralMask(channels)(cleaned)
    return _same_length(signal, layers.Reshape((-1, 1))(estimate), name)


@keras.saving.register_keras_serializable(package="recon")
class LinearExperts(layers.Layer):
    """A softmax gate that chooses among linear maps of a frame's knots, its every hold-th samples.

    The gate sees the shape of the knots, whatever their amplitude, and where they change; the maps
    see the knots themselves, so a louder waveform is answered louder. One map needs no gate.

    Input shape: [batch, frames, frame_length]. Output shape: [batch, frames, outputs].
    """

    def __init__(self, experts, outputs, hold_length, hidden, **kwargs):
        super().__init__(**kwargs)
        self.experts, self.outputs = experts, outputs
        self.hold_length, self.hidden = hold_length, hidden
        self.gate = keras.Sequential(
            [layers.Dense(hidden, activation="relu"), layers.Dense(experts, activation="softmax")]
        )
        self.maps = layers.Dense(experts * outputs)

    def build(self, input_shape):
        knots = input_shape[-1] // self.hold_length
        if self.experts > 1:
            self.gate.build((None, None, 2 * knots - 1))
        self.maps.build((None, None, knots))

    def call(self, frames):
        knots = frames[..., :: self.hold_length]
        answers = self.maps(knots)
        if self.experts == 1:
            return answers
        shape = knots / (ops.max(ops.abs(knots), axis=-1, keepdims=True) + 1e-6)
        change = ops.abs(shape[..., 1:] - shape[..., :-1])
        changed = change / (change + 1e-4)  # 0 where a value is held, else almost 1
        weights = self.gate(ops.concatenate([shape, changed], axis=-1))
        answers = ops.reshape(answers, (*ops.shape(knots)[:2], self.experts, self.outputs))
        return ops.sum(weights[..., None] * answers, axis=-2)

    def compute_output_shape(self, input_shape):
        return *input_shape[:-1], self.outputs

    def get_config(self):
        names = ("experts", "outputs", "hold_length", "hidden")
        return super().get_config() | {name: getattr(self, name) for name in names}


def mixture(*, frame_length=100, hold_length=10, experts=32, rank=None, hidden=64, name="mixture"):
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
        hidden: units of the gate.
        name: of the model.

    Returns:
        keras.Model, [batch, n_samples, 1] -> the same shape, any n_samples; linear output.

    Raises:
        ValueError: if frame_length is not a multiple of hold_length.

    Source: Jacobs, Jordan, Nowlan and Hinton, "Adaptive Mixtures of Local Experts", 1991.

    >>> mixture()(np.zeros([2, 256, 1])).shape
    TensorShape([2, 256, 1])
    """
    if frame_length % hold_length:
        rule = f"frame_length must be a multiple of hold_length {hold_length}"
        raise ValueError(f"{rule}, got {frame_length}")
    signal = keras.Input((None, 1))
    x = layers.Reshape((-1, frame_length))(PadToMultiple(frame_length)(signal))
    x = LinearExperts(experts, rank or frame_length, hold_length, hidden)(x)
    if rank:
        x = layers.Dense(frame_length, use_bias=False)(x)
    return _same_length(signal, layers.Reshape((-1, 1))(x), name)


@keras.saving.register_keras_serializable(package="recon")
class Inpainting(layers.Layer):
    """Replace by an estimate the samples that are taken for impulses.

    x + g (estimate - x) with the gate g = a^2 / (a^2 + b^2): where a outweighs b, the sample goes.
    A ratio, so that the gate does not change with loudness.

    Input shape: the signal [batch, n_samples, 1]; estimate, a and b, [batch, n_samples, 3]. Output
    shape: the signal's.
    """

    def call(self, signal, seen):
        estimate, a, b = ops.split(seen, 3, axis=-1)
        return signal + a**2 / (a**2 + b**2 + 1e-12) * (estimate - signal)

    def compute_output_shape(self, signal_shape, seen_shape):
        return signal_shape


def denoiser(
    *, channels=64, dilations=(1, 2, 4, 8, 16), front=16, sample_rate=None, name="denoiser"
):
    """Hiss and impulses out of recordings: in-painting at the full rate, then a dilated network.

    No layer has a bias, so a signal twice as loud is answered twice as loud: no level has to be
    learnt, and a network trained on one level of hiss serves others (Mohan et al., 2020).

    Args:
        channels: of the dilated network, which works on positions of 4 samples.
        dilations: of its blocks.
        front: channels of the stage that finds impulses.
        sample_rate: Hz, of the recordings that it is for; saved with the model.
        name: of the model.

    Returns:
        keras.Model, [batch, n_samples, 1] -> the same shape, any n_samples; linear output.

    Source: van den Oord et al., "WaveNet", 2016, for dilations; Mohan, Kadkhodaie, Simoncelli and
    Fernandez-Granda, "Robust and Interpretable Blind Image Denoising via Bias-Free Convolutional
    Neural Networks", 2020.

    >>> denoiser(sample_rate=8000)(np.zeros([2, 1001, 1])).shape
    TensorShape([2, 1001, 1])
    """
    signal = keras.Input((None, 1))
    padded = PadToMultiple(4)(signal)
    x = _convolution(front, 9)(padded)
    x = layers.Add()([x, _convolution(front, 9)(_rectified(x))])
    cleaned = Inpainting()(padded, _convolution(3, 9)(_rectified(x)))
    x = layers.Reshape((-1, 4))(cleaned)  # [n_samples, 1] -> [n_samples / 4, 4]
    x = layers.Add()([x, _convolution(4, 3)(_dilated(x, channels, dilations))])
    return _same_length(signal, layers.Reshape((-1, 1))(x), name, sample_rate)


def interpolator(
    *,
    hold_length,
    keep_knots=True,
    position=4,
    channels=64,
    dilations=(1, 2, 4, 8, 16, 32) * 2,
    sample_rate=None,
    name="interpolator",
):
    """Recordings quantized in time: the samples between the knots; the knots stay as they are.

    The best linear interpolator of 33 positions, and a dilated network that adds what a linear one
    cannot know. Both read the knots and write hold_length - 1 samples after each (sub-pixel). No
    layer has a bias, so a signal twice as loud is answered twice as loud.

    Args:
        hold_length: samples per knot, at least 2; the first sample is a knot.
        keep_knots: False where a low-pass has been at the knots, so that they need restoring too.
        position: samples that make one position of the dilated network, rounded to whole knots, at
            least one. Coarser positions leave time for more channels.
        channels: of the dilated network.
        dilations: of its blocks.
        sample_rate: Hz, of the recordings that it is for; saved with the model.
        name: of the model.

    Returns:
        keras.Model, [batch, n_samples, 1] -> the same shape, any n_samples; linear output.

    Source: as of `denoiser`; Shi et al., 2016, for the output.

    >>> interpolator(hold_length=6)(np.zeros([2, 1001, 1])).shape
    TensorShape([2, 1001, 1])
    """
    signal = keras.Input((None, 1))
    together = max(1, round(position / hold_length))  # knots that share a position
    padded = PadToMultiple(together * hold_length)(signal)
    knots = layers.MaxPooling1D(1, strides=hold_length)(padded)  # every hold_length-th sample
    x = layers.Reshape((-1, together))(knots)
    written = hold_length - 1 if keep_knots else hold_length  # samples per knot
    linear = _convolution(together * written, 33)(x)
    x = _convolution(together * written, 3)(_dilated(x, channels, dilations))
    x = layers.Reshape((-1, written))(layers.Add()([linear, x]))
    if keep_knots:
        x = layers.Concatenate()([knots, x])
    return _same_length(signal, layers.Reshape((-1, 1))(x), name, sample_rate)


def _dilated(x, channels, dilations):
    """Residual blocks without biases; each adds what it sees at its own distance."""
    x = _convolution(channels, 5)(x)
    for dilation in dilations:
        y = _convolution(channels, 3, dilation_rate=dilation)(_rectified(x))
        x = layers.Add()([x, _convolution(channels, 3)(_rectified(y))])
    return _rectified(x)


def _convolution(channels, kernel_size, **options):
    return layers.Conv1D(channels, kernel_size, padding="same", use_bias=False, **options)


def _rectified(x):
    return layers.ReLU()(x)


def _residual(x, kernel_size):
    """Two convolutions whose result is added to their input (He et al., 2016)."""
    y = layers.Conv1D(x.shape[-1], kernel_size, padding="same", activation="relu")(x)
    y = layers.Conv1D(x.shape[-1], kernel_size, padding="same")(y)
    return layers.ReLU()(layers.Add()([x, y]))


def _same_length(signal, estimate, name, sample_rate=None):
    """The model from `signal` to `estimate`, cropped to the signal's length."""
    field = receptive_field(keras.Model(signal, estimate))
    return keras.Model(signal, CropToInput(field, sample_rate)(estimate, signal), name=name)


def copy(model, *, sample_rate, name):
    """The same network with the same weights, for recordings of another rate.

    Args:
        model: what `denoiser` or `interpolator` built, or `load` read.
        sample_rate: Hz, of the recordings that the copy is for; saved with it.
        name: of the copy.

    Returns:
        keras.Model that shares nothing with `model`.
    """

    def remake(layer):
        changed = {"sample_rate": sample_rate} if isinstance(layer, CropToInput) else {}
        return type(layer).from_config(layer.get_config() | changed)

    twin = keras.models.clone_model(model, clone_function=remake)
    twin = keras.Model(twin.inputs[0], twin.outputs[0], name=name)
    twin.set_weights(model.get_weights())
    return twin


def load(path):
    """Load a network that `training.fit` saved; nothing that the file holds is ever run.

    Args:
        path: of a .keras file.

    Returns:
        keras.Model, not compiled, whose declared receptive field is the one its layers have.

    Raises:
        ValueError: if there is no such file, it is damaged, it is not a network of this package, or
            its receptive field is not bounded.
    """
    path = str(path)
    if not zipfile.is_zipfile(path):  # the older formats can hold code
        what = "is not in the .keras format" if os.path.exists(path) else "does not exist"
        raise ValueError(f"model must be a .keras file, got {path!r}, which {what}")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        declared = [x.receptive_field for x in model.layers if isinstance(x, CropToInput)]
        field = receptive_field(model)
    except Exception as error:  # Keras raises whatever it runs into
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"model must be a network of this package, got {path!r}: {reason}"
        ) from error
    if declared != [field]:
        raise ValueError(
            f"model must declare the receptive field {field}, got {declared} in {path!r}"
        )
    return model


def receptive_field(model):
    """How far a convolutional model looks: (left, right, stride) in samples.

    Output sample n depends on input samples n - left to n + right and no others; a shift of the
    input by `stride` samples shifts the output alike. Found by walking the layers: for one
    stride's worth of positions, each layer notes the first and last input sample it depends on.

    Raises:
        ValueError: for a layer that reads the whole signal, or one that this walk does not know.
    """
    pads = [layer.multiple for layer in model.layers if isinstance(layer, PadToMultiple)]
    stride = max(pads, default=1)
    reach = {}  # id of a tensor -> [positions per stride, channels, (first, last)]
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            reach[id(layer.output)] = np.repeat(np.arange(stride), 2).reshape(stride, 1, 2)
            continue
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        reads = _reads(layer, [reach[id(tensor)] for tensor in inputs], stride)
        reach[id(layer.output)] = reads
    samples = np.arange(stride)
    first, last = reach[id(model.output)][:, 0].T
    return int(max(samples - first)), int(max(last - samples)), stride


PADDING = {layers.Conv1D: "same", layers.MaxPooling1D: "valid"}  # the only ones that the walk knows
MOVING = (*PADDING, layers.UpSampling1D)
MIXING = (LinearExperts, SpectralMask, ImpulseRemoval, Inpainting, layers.Dense)


def _reads(layer, inputs, stride):
    """First and last input sample behind each position and channel that a layer writes."""
    if isinstance(layer, layers.Reshape) and layer.target_shape[0] == -1:
        return inputs[0].reshape(-1, layer.target_shape[1], 2)
    if isinstance(layer, layers.Concatenate) and layer.axis == -1:
        return np.concatenate(inputs, axis=1)
    if isinstance(layer, PadToMultiple | CropToInput | layers.Add | layers.ReLU):
        return _union(np.stack(inputs), axis=0)
    known = isinstance(layer, MOVING + MIXING)
    if not known or getattr(layer, "padding", None) != PADDING.get(type(layer)):
        raise ValueError(f"model must be convolutional, got the layer {layer.name!r} of "
                         f"{type(layer).__name__}, whose reach is not known")  # fmt: skip
    if isinstance(layer, LinearExperts):
        inputs = [inputs[0][:, :: layer.hold_length]]  # it reads the knots alone
    reach = np.concatenate(inputs, axis=1)
    if isinstance(layer, (layers.Conv1D, *MIXING)):  # every channel out reads every channel in
        reach = np.repeat(_union(reach, axis=1)[:, None], layer.output.shape[-1], axis=1)
    if isinstance(layer, MIXING):
        return reach
    if isinstance(layer, layers.Conv1D):
        span = (layer.kernel_size[0] - 1) * layer.dilation_rate[0] + 1
        step = layer.strides[0]
        first = np.arange(len(reach) // step) * step - max(span - step, 0) // 2
        last = first + span - 1
    elif isinstance(layer, layers.MaxPooling1D):
        first = np.arange(len(reach) // layer.strides[0]) * layer.strides[0]
        last = first + layer.pool_size[0] - 1
    else:
        first = last = np.arange(len(reach) * layer.size) // layer.size
    at = [reach[q % len(reach)] + (q // len(reach) * stride)[:, None, None] for q in (first, last)]
    return np.stack([at[0][..., 0], at[1][..., 1]], axis=-1)


def _union(reach, axis):
    """What is read by any of the entries along an axis."""
    return np.stack([reach[..., 0].min(axis), reach[..., 1].max(axis)], axis=-1)

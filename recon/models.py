"""Networks: Keras layers and `keras.ops` only, so that any Keras backend can run them.

Every builder takes signals [batch, n_samples, 1] of any length and returns the same shape: the
model owns its padding and cropping, and declares how far it looks, so that `framing` can join
chunks exactly. Shapes in comments are [positions, channels]. Why these shapes: section 5 of the
notebooks.
"""

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
    (left, right, stride) in samples, so that it is saved and loaded with the model.
    """

    def __init__(self, receptive_field, **kwargs):
        super().__init__(**kwargs)
        self.receptive_field = tuple(receptive_field)

    def call(self, estimate, signal):
        return estimate[:, : ops.shape(signal)[1]]

    def compute_output_shape(self, estimate_shape, signal_shape):
        return estimate_shape[0], signal_shape[1], estimate_shape[2]

    def get_config(self):
        return super().get_config() | {"receptive_field": self.receptive_field}


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


def unet(*, stem=32, channels=(192, 256), kernel_size=3, front=0, name="unet"):
    """A U-Net (Ronneberger, Fischer and Brox, 2015) on a strided stem.

    The stem turns every `stem` samples into one position at once, as a learned filter bank, and the
    last layer writes `stem` samples per position (sub-pixel, Shi et al., 2016). In between, nothing
    runs at the full rate, where convolutions cost most and see least.

    Args:
        stem: samples per position.
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
    x = layers.Conv1D(channels[0], 2 * stem, strides=stem, padding="same", activation="relu")(x)
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


def _residual(x, kernel_size):
    """Two convolutions whose result is added to their input (He et al., 2016)."""
    y = layers.Conv1D(x.shape[-1], kernel_size, padding="same", activation="relu")(x)
    y = layers.Conv1D(x.shape[-1], kernel_size, padding="same")(y)
    return layers.ReLU()(layers.Add()([x, y]))


def _same_length(signal, estimate, name):
    """The model from `signal` to `estimate`, cropped to the signal's length."""
    field = receptive_field(keras.Model(signal, estimate))
    return keras.Model(signal, CropToInput(field)(estimate, signal), name=name)


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
    reach = {}  # id of a tensor -> [positions per stride, (first, last)]
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            reach[id(layer.output)] = np.repeat(np.arange(stride)[:, None], 2, axis=1)
            continue
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        fields = [_reads(layer, reach[id(tensor)], stride) for tensor in inputs]
        first, last = np.array(fields).min(axis=0)[:, 0], np.array(fields).max(axis=0)[:, 1]
        reach[id(layer.output)] = np.stack([first, last], axis=1)
    samples = np.arange(stride)
    first, last = reach[id(model.output)].T
    return int(max(samples - first)), int(max(last - samples)), stride


POINTWISE = (PadToMultiple, CropToInput, layers.Add, layers.Concatenate, layers.ReLU)


def _reads(layer, reach, stride):
    """First and last input sample behind each position that a layer writes per stride."""
    if isinstance(layer, layers.Conv1D):
        span = (layer.kernel_size[0] - 1) * layer.dilation_rate[0] + 1
        step = layer.strides[0]
        first = np.arange(len(reach) // step) * step - max(span - step, 0) // 2
        last = first + span - 1
    elif isinstance(layer, layers.MaxPooling1D):
        first = np.arange(len(reach) // layer.pool_size[0]) * layer.pool_size[0]
        last = first + layer.pool_size[0] - 1
    elif isinstance(layer, layers.UpSampling1D):
        first = last = np.arange(len(reach) * layer.size) // layer.size
    elif isinstance(layer, layers.Reshape) and layer.target_shape[0] == -1:
        size = layer.input.shape[-1] // layer.target_shape[1]
        first = last = np.arange(len(reach) * size) // size
    elif isinstance(layer, POINTWISE):
        return reach
    else:
        raise ValueError(f"model must be convolutional, got the layer {layer.name!r} of "
                         f"{type(layer).__name__}, whose reach is not bounded")  # fmt: skip
    at = [reach[q % len(reach)] + (q // len(reach) * stride)[:, None] for q in (first, last)]
    return np.stack([at[0][:, 0], at[1][:, 1]], axis=1)

"""Long signals through a network, piece by piece, with exactly the whole signal's result.

A network of convolutions reads a bounded stretch of its input for each output sample. Each piece
is run together with that stretch, starting at a multiple of the network's stride, and the
stretch's own output is thrown away. What remains equals the whole-signal result, so pieces join
without a break by construction. Explained in docs/framing.md, shown in section 9 of the notebooks.
"""

import logging
import math
from functools import partial

import numpy as np

from recon import checks

BATCH = 64  # frames restored at a time by the methods that are not exact
MONO = partial(checks.SIGNAL, dtype=np.float32, empty=True)
MOST = 64  # channels of a signal that has fewer samples than channels
# Pieces of many lengths are as many shapes; TensorFlow takes that for a mistake and says so.
logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in str(record.msg))


class Stream:
    """A network applied to a signal that arrives bit by bit.

    All that is pushed and flushed, laid end to end, is what the network makes of the whole signal
    at once, whatever the sizes of the pushes. Every push that settles samples runs the network
    once, on those and on the context around them; memory grows with the size of a push and with
    the receptive field, not with the signal.

    Args:
        model: maps [batch, n_samples, 1] to the same shape and has a `receptive_field` (left,
            right, stride) in samples, as a `models.Network` has; any other Keras model of local
            layers is made one.

    Attributes:
        latency: samples. Output n comes back with the push that brings input n + latency.

    Raises:
        ValueError: if the model has no receptive field.

    >>> class Previous:  # each sample's predecessor
    ...     receptive_field = (1, 0, 1)
    ...     __call__ = staticmethod(lambda x: np.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1])
    >>> stream = Stream(Previous())
    >>> [stream.push([1.0, 2.0]).tolist(), stream.push([3.0]).tolist(), stream.flush().tolist()]
    [[0.0, 1.0], [2.0], []]
    """

    def __init__(self, model):
        if not hasattr(model, "receptive_field"):
            from recon import models  # Keras, for those who use it only

            model = models.as_network(model)
        self.model, reach = model, model.receptive_field
        left, self.latency, self._stride = checks.several(
            "receptive_field", reach, count=3, low=0, whole=True
        )
        checks.require(self._stride, "receptive_field must have a stride of at least 1", reach)
        self._reach = -(-left // self._stride) * self._stride  # left context, whole strides
        self.reset()

    def reset(self):
        """Forget the signal so far; the next push starts another one."""
        self._shape = None  # of a push without its first axis: () or (channels,)
        self._context = None  # input from sample self._first on, [channels, n_samples]
        self._first = self._done = 0  # samples

    def push(self, samples):
        """Take the next samples of the signal, give back what they settle.

        Args:
            samples: finite real array [n_samples] or [n_samples, channels], any n_samples, 0
                included; each channel is restored by itself.

        Returns:
            float32 array [n_final] or [n_final, channels].

        Raises:
            ValueError: if the samples are of another kind, or their channels other than before, or
                the model gives something else than samples; the stream is then as it was.
        """
        as_before = None if self._shape is None else ("n_samples", *self._shape)
        samples = checks.samples("samples", samples, np.float32, shape=as_before)
        known = _channels("samples", samples, known=self._shape is not None)
        if self._shape is not None:
            known = np.concatenate([self._context, known], axis=1)
        settled = self._settle(known)
        self._shape = samples.shape[1:]
        return settled.reshape(-1, *self._shape)

    def flush(self):
        """Take the signal as ended: give back the rest, and be ready for another signal."""
        if self._shape is None:
            return np.zeros(0, np.float32)
        rest = self._settle(self._context, ended=True).reshape(-1, *self._shape)
        self.reset()
        return rest

    def _settle(self, known, ended=False):
        """The estimate from sample self._done on, [n_final, channels], where the input from
        self._first on is `known`, [channels, n_samples]; keeps the context that is needed yet."""
        stop = max(self._done, self._first + known.shape[1] - (0 if ended else self.latency))
        context, estimate = known, np.zeros((len(known), 0), np.float32)
        if stop > self._done:
            if not ended and getattr(self.model, "jit_compile", False):
                # Each length is compiled anew: of lengths that lie close together, the longest.
                step = 2 ** max(0, known.shape[1].bit_length() - 3)
                known = np.pad(known, ((0, 0), (0, -known.shape[1] % step)))
            every = _apply(self.model, known)
            estimate = every[:, self._done - self._first : stop - self._first]
        self._done = stop
        first = max(0, stop // self._stride * self._stride - self._reach)
        self._context, self._first = context[:, first - self._first :], first
        return estimate.T


def restore(model, signal, *, chunk_length):
    """Run a long signal through a model in chunks; equal to the whole signal at once.

    Args:
        model: as in `Stream`.
        signal: finite real array [n_samples] or [n_samples, channels], any length, 0 included.
        chunk_length: samples restored at a time, at least 1; the network's memory grows with it,
            not with the signal.

    Returns:
        float32 array of the signal's shape.

    Raises:
        ValueError: if the model has no receptive field, the signal is of another kind, or
            chunk_length is not a whole number of at least 1.
    """
    _channels("signal", signal)
    starts = range(0, max(len(signal), 1), chunk_length)
    chunks = (signal[start : start + chunk_length] for start in starts)
    return np.concatenate(list(pieces(model, chunks)))


def pieces(model, chunks):
    """The same for a signal of any length that is not at hand as a whole.

    Args:
        model: as in `Stream`.
        chunks: iterable of arrays [n_samples] or [n_samples, channels], in order.

    Yields:
        float32 arrays [n_samples] or [n_samples, channels]; laid end to end, as `restore`.
    """
    stream = Stream(model)
    for chunk in chunks:
        chunk = checks.samples("chunks", chunk, np.float32)
        stream.push(chunk[:0])  # says which axis is which, however short a chunk
        yield stream.push(chunk)
    yield stream.flush()


@checks.checked(signal=MONO)
def frame_by_frame(model, signal, *, frame_length):
    """Each frame restored alone and laid end to end: what breaks at every seam.

    Args:
        model: any callable that maps [batch, n_samples, 1] to the same shape.
        signal: float array [n_samples].
        frame_length: samples, at least 1; a last frame may be shorter.

    Returns:
        float32 array [n_samples].

    Raises:
        ValueError: if frame_length is less.
    """
    whole = len(signal) // frame_length * frame_length
    parts = [_frames(model, signal[:whole].reshape(-1, frame_length)).ravel()]
    if whole < len(signal):
        parts.append(_frames(model, signal[None, whole:])[0])
    return np.concatenate(parts)


@checks.checked(signal=MONO, frame_length=checks.EVEN)
def overlap_add(model, signal, *, frame_length):
    """Frames at half their length apart, cross-faded by a periodic Hann window.

    For models that `restore` refuses, as they are not local in time. Continuous, because the window
    falls to zero at every frame's ends, but not exact: two answers that disagree are blended, and
    the result depends on where the frames lie.

    Args:
        model: any callable that maps [batch, frame_length, 1] to the same shape.
        signal: float array [n_samples].
        frame_length: samples, even, at least 2.

    Returns:
        float32 array [n_samples].

    Raises:
        ValueError: if frame_length is not.

    Source: Griffin and Lim, "Signal Estimation from Modified Short-Time Fourier Transform", 1984.
    """
    hop_length = frame_length // 2
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame_length) / frame_length)
    count = -(-len(signal) // hop_length) + 1
    padded = np.zeros((count + 1) * hop_length, np.float32)
    padded[hop_length : hop_length + len(signal)] = signal
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame_length)[::hop_length]
    faded = window * _frames(model, frames)  # [frames, frame_length]
    total = np.zeros((count + 1, hop_length), np.float32)
    total[:-1] += faded[:, :hop_length]
    total[1:] += faded[:, hop_length:]
    return total.ravel()[hop_length : hop_length + len(signal)]


def _channels(name, signal, *, known=False):
    """[n_samples] or [n_samples, channels] as [channels, n_samples]; axes may be swapped if not
    `known`."""
    n_samples, *channels = signal.shape
    known = known or not n_samples or math.prod(channels) <= max(n_samples, MOST)
    usable = len(channels) < 2 and known
    checks.require(usable, f"{name} must be [n_samples] or [n_samples, channels]", signal.shape)
    return signal.reshape(n_samples, math.prod(channels)).T


def _frames(model, frames):
    """The model's estimate of each frame, [frames, frame_length], a batch at a time."""
    batches = range(0, len(frames), BATCH)
    parts = [_apply(model, frames[i : i + BATCH]) for i in batches]
    return np.concatenate(parts) if parts else np.zeros(frames.shape, np.float32)


def _apply(model, frames):
    """The model's estimate of a batch, [frames, n_samples]."""
    run = getattr(model, "predict_on_batch", model)  # compiled, where a plain call is not
    answer = run(frames[..., None].copy())  # it may work in place
    return checks.samples("model(...)", answer, np.float32, shape=(*frames.shape, 1))[..., 0]


checks.guard(__name__)

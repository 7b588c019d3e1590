"""Long signals through a network, piece by piece, with exactly the whole signal's result.

Each piece is run together with the context that the network reads; the context's own output is
discarded (docs/framing.md, and section 9 of NoiseReduction.ipynb).
"""

import numpy as np

from recon import checks, models


class Stream:
    """A network applied to a signal that arrives bit by bit.

    All that is pushed and flushed, laid end to end, is what the network makes of the whole signal
    at once, whatever the sizes of the pushes. Memory grows with the size of a push, not with the
    signal.

    Args:
        model: maps [batch, n_samples, 1] to the same shape and has a `receptive_field` (left,
            right, stride) in samples, as a `models.Network` has; or a Keras model of local layers.
        mix: share of the restored signal, 0 to 1; the rest stays as it was.

    Attributes:
        latency: samples. Output n comes back with the push that brings input n + latency.

    >>> class Previous:  # each sample's predecessor
    ...     receptive_field = (1, 0, 1)
    ...     __call__ = staticmethod(lambda x: np.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1])
    >>> stream = Stream(Previous())
    >>> [stream.push([1.0, 2.0]).tolist(), stream.push([3.0]).tolist(), stream.flush().tolist()]
    [[0.0, 1.0], [2.0], []]
    """

    def __init__(self, model, mix=1.0):
        self.model, self.mix = models.as_network(model), float(mix)
        left, self.latency, self.stride = self.model.receptive_field
        self.left = -(-left // self.stride) * self.stride  # whole strides
        self.context = None  # input from sample self.first on, [n_samples, ...]
        self.first = self.done = 0  # samples

    def push(self, samples):
        """Take the next samples, [n_samples] or [n_samples, channels], give back what they settle;
        each channel is restored by itself."""
        samples = np.asarray(samples, np.float32)
        if self.context is not None:
            samples = np.concatenate([self.context, samples])
        return self._settle(samples, max(self.done, self.first + len(samples) - self.latency))

    def flush(self):
        """Take the signal as ended: give back the rest, and be ready for another signal."""
        if self.context is None:
            return np.zeros(0, np.float32)
        rest = self._settle(self.context, self.first + len(self.context))
        self.context, self.first, self.done = None, 0, 0
        return rest

    def _settle(self, known, stop):
        """The estimate from sample self.done to `stop`, where the input from self.first on is
        `known`; keeps the context that is still needed."""
        new = slice(self.done - self.first, stop - self.first)
        estimate = known[new]
        if len(estimate):
            channels = known.reshape(len(known), -1).T[..., None]  # [channels, n_samples, 1]
            restored = np.asarray(self.model(channels))[..., 0].T.reshape(known.shape)[new]
            estimate = self.mix * restored + (1 - self.mix) * estimate
        self.done = stop
        first = max(0, stop // self.stride * self.stride - self.left)
        self.context, self.first = known[first - self.first :], first
        return estimate


def restore(model, signal, *, chunk_length):
    """Run a long signal through a model in chunks; equal to the whole signal at once.

    Args:
        model: as in `Stream`.
        signal: real array [n_samples] or [n_samples, channels], any length.
        chunk_length: samples restored at a time.

    Returns:
        float32 array of the signal's shape.
    """
    signal = checks.check_samples(signal)
    chunks = [signal[i : i + chunk_length] for i in range(0, max(1, len(signal)), chunk_length)]
    return np.concatenate(list(pieces(Stream(model), chunks)))


def pieces(stream, chunks):
    """Run chunks [n_samples] or [n_samples, channels] through a stream, one after another."""
    for chunk in chunks:
        yield stream.push(chunk)
    yield stream.flush()

"""How far two ways of computing the same in float32 may lie apart."""

from unittest import mock

import keras
import numpy as np


def rounding(network, signal):
    """The largest difference that rounding explains between two runs of a network.

    Each layer rounds its result, which leaves an error of at most eps times its largest value; sums
    in another order, as for another length of signal or number of threads, differ by about as much.
    What the network makes of such errors is tried: every layer's result, those that a layer is made
    of included, is moved at random by as much. Two runs may lie apart by twice what that changes.

    Args:
        network: models.Network.
        signal: array [n_samples] or [batch, n_samples, 1].

    Source: Parker, "Monte Carlo Arithmetic", 1997.
    """
    signal = np.asarray(signal, np.float32)
    signal = signal[None, :, None] if signal.ndim == 1 else signal
    if not signal.size:
        return 0.0
    random, call = np.random.default_rng(0), keras.layers.Layer.__call__

    def moved(layer, *args, **kwargs):
        answer = np.asarray(call(layer, *args, **kwargs))
        most = np.finfo(np.float32).eps * np.abs(answer).max()
        return keras.ops.convert_to_tensor(
            answer + most * random.uniform(-1, 1, answer.shape), "float32"
        )

    usual = np.asarray(network(signal))
    with mock.patch.object(keras.layers.Layer, "__call__", moved):
        return 2 * float(np.abs(np.asarray(network(signal)) - usual).max())

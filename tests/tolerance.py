"""How far two ways of computing the same in float32 may lie apart."""

import keras
import numpy as np


def rounding(network, signal):
    """The largest difference that rounding explains between two runs of a network.

    Each layer rounds its result, which leaves an error of at most eps times its largest value; sums
    in another order, as for another length of signal or number of threads, differ by about as much.
    In the worst case the errors of all layers add up: 2 * depth * eps * largest.

    Args:
        network: models.Network, no layer of which is shared.
        signal: array [n_samples] or [batch, n_samples, 1].
    """
    signal = np.asarray(signal, np.float32)
    signal = signal[None, :, None] if signal.ndim == 1 else signal
    if not signal.size:
        return 0.0
    stride = network.receptive_field[2]
    padded = np.pad(signal, ((0, 0), (0, -signal.shape[1] % stride), (0, 0)))
    every = keras.Model(network.inputs[0], [layer.output for layer in network.layers])(padded)
    largest = max(float(np.abs(values).max()) for values in map(np.asarray, every))
    return 2 * len(every) * float(np.finfo(np.float32).eps) * largest

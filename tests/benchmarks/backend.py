"""Train the U-Net on arrays under any Keras backend: needs keras, NumPy and that backend alone.

    KERAS_BACKEND=jax PYTHONPATH=. python tests/benchmarks/backend.py [STEPS]

Prints one line of JSON: backend, device, steps per second, and the loss before and after.
"""

import json
import sys
import time

import keras
import numpy as np

from recon import models

BATCH, N_SAMPLES = 64, 256
STEPS = int((sys.argv[1:] or [60])[0])

if __name__ == "__main__":
    random = np.random.default_rng(1)
    cycles = random.integers(1, 33, (BATCH * STEPS, 1))
    clean = np.sin(2 * np.pi * cycles * np.arange(N_SAMPLES) / N_SAMPLES)[..., None]
    clean = clean.astype(np.float32)
    corrupted = clean + np.float32(0.1) * random.standard_normal(clean.shape, dtype=np.float32)
    keras.utils.set_random_seed(1)
    model = models.unet(window=8, front=16)
    model.compile(keras.optimizers.Adam(1e-3), "mean_squared_error", jit_compile=True)
    losses, seconds = [], []
    for _ in range(7):  # the first compiles
        started = time.perf_counter()
        history = model.fit(corrupted, clean, batch_size=BATCH, shuffle=False, verbose=0).history
        seconds.append(time.perf_counter() - started)
        losses += history["loss"]
    weight = model.trainable_variables[0].value
    device = getattr(weight, "device", "")
    print(
        json.dumps(
            {
                "backend": keras.backend.backend(),
                "device": str(device),
                "steps_per_second": STEPS / min(seconds[1:]),  # others only ever add to a time
                "first_loss": losses[0],
                "last_loss": losses[-1],
            }
        )
    )

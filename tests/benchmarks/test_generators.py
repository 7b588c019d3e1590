"""Speed of the generators, as ratios within one run.

    pytest tests/benchmarks --benchmark-enable -q -s

The plain loop is what the first version of the experiments did: one waveform at a time, sample by
sample, in Python and NumPy.
"""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from recon import datasets, models, training

BATCH = 256


def plain_loop(random, n_samples=256):
    """One corrupted and clean waveform of the noise experiment, sample by sample."""
    clean, corrupted = np.zeros(n_samples), np.zeros(n_samples)
    cycles, amplitude = random.integers(1, 33), random.uniform(0.05, 1.0)
    phase, stddev = random.uniform(0, 2 * np.pi), random.uniform(0.01, 0.1)
    rate = random.uniform(0.0, 0.02)
    for n in range(n_samples):
        clean[n] = amplitude * np.sin(2 * np.pi * cycles * n / n_samples + phase)
        corrupted[n] = clean[n] + random.normal(0.0, stddev)
        if random.random() < rate:
            corrupted[n] += 0.5 if random.random() < 0.5 else -0.5
    return corrupted, clean


def seconds(call, repeats=5):
    """The median time of a call, after one that is not counted."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def test_the_generator_is_sixty_times_the_plain_loop(benchmark):
    random = np.random.default_rng(1)
    plain = seconds(lambda: [plain_loop(random) for _ in range(32)]) / 32
    batches = iter(datasets.noise_reduction(BATCH, seed=1))
    generated = seconds(lambda: [next(batches) for _ in range(100)]) / (100 * BATCH)
    benchmark.extra_info |= {"ratio": plain / generated}
    print(f"\n{1 / plain:,.0f} against {1 / generated:,.0f} per s: {plain / generated:.0f} times")
    assert plain / generated > 60
    benchmark(next, batches)


@pytest.mark.parametrize("build", [models.unet, models.encoder_decoder])
def test_the_pipeline_costs_a_training_step_little(benchmark, build):
    model = build()
    model.compile(keras.optimizers.Adam(), training.log_mean_squared_error)
    fresh = datasets.noise_reduction(64, seed=1)
    cached = tf.data.Dataset.from_tensors(next(iter(fresh))).repeat()

    def steps(data):
        model.fit(data, steps_per_epoch=60, shuffle=False, verbose=0)

    steps(cached)
    pairs = [
        (seconds(lambda: steps(fresh), 1), seconds(lambda: steps(cached), 1)) for _ in range(5)
    ]
    cost = float(np.median([a / b for a, b in pairs])) - 1
    print(f"\n{model.name}: the pipeline adds {100 * cost:.1f} % to a training step")
    benchmark.extra_info |= {"cost": cost}
    assert cost < 0.05
    benchmark.pedantic(steps, [fresh], rounds=1)

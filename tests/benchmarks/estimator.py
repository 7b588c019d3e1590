"""How near the estimator that is not trained comes to the limit of noise reduction.

    python tests/benchmarks/estimator.py

Scores it on five sets of 8,192 test waveforms. Writes docs/results/estimator.json.
"""

import json
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
from record import rounded  # noqa: E402

from recon import baselines, datasets, evaluation, limits, metrics  # noqa: E402

TEST_SEEDS = [3, 11, 12, 13, 14]  # the first as in the notebook, whose set is twice as large
SIGNAL = {"n_samples": 256, "cycles": (1, 32), "amplitude": (0.05, 1.0), "phase": (0.0, 2 * np.pi)}
DAMAGE = {"stddev": (0.01, 0.1), "impulse_rate": (0.0, 0.02), "impulse_amplitude": 0.5}
RESULTS = ROOT / "docs" / "results" / "estimator.json"
COLUMNS = {"gain_db": ("gain, dB", ".2f"), "to_limit_db": ("to the limit, dB", ".3f")}


def held_out(seed, n):
    """Waveforms of the noise experiment and the limit on them, the luck of the draw included, as
    section 4 of the notebook has it."""
    draw = partial(datasets.noise_reduction, 256, seed=seed, **SIGNAL)
    corrupted, clean = datasets.take(draw(**DAMAGE), n)
    unhit, _ = datasets.take(draw(**DAMAGE | {"impulse_amplitude": 0.0}), n)
    expected = 2 * limits.mean_square(DAMAGE["stddev"]) / SIGNAL["n_samples"]
    luck = metrics.mse(clean, baselines.given_bins(unhit, clean)).mean() / expected
    return (corrupted, clean), limits.noise_bound(**SIGNAL, **DAMAGE) * luck


def main():
    estimate = partial(baselines.expectation_maximisation, **SIGNAL, **DAMAGE)
    sets = {}
    for seed in TEST_SEEDS:
        test, limit = held_out(seed, 8192)
        sets |= evaluation.score({f"seed {seed}": estimate}, *test, limit=limit)
    mean = evaluation.over_seeds(list(sets.values()))
    print(evaluation.table(sets | {"mean": mean}, COLUMNS))
    RESULTS.write_text(json.dumps(rounded(mean | {"sets": sets}), indent=1) + "\n")


if __name__ == "__main__":
    main()

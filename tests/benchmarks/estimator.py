"""How near the estimator that is not trained comes to the limit of noise reduction.

    python tests/benchmarks/estimator.py

Scores it on five sets of 8,192 test waveforms. Writes docs/results/estimator.json.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
from record import rounded  # noqa: E402

from recon import datasets, evaluation, limits, metrics  # noqa: E402

TEST_SEEDS = [3, 11, 12, 13, 14]  # the first as in the notebook, whose set is twice as large
RESULTS = ROOT / "docs" / "results" / "estimator.json"
COLUMNS = {"gain_db": ("gain, dB", ".2f"), "to_limit_db": ("to the limit, dB", ".3f")}


def held_out(seed, n):
    """Waveforms of the noise experiment and the limit on them, the luck of the draw included, as
    section 4 of the notebook has it."""
    corrupted, clean = datasets.take(datasets.noise_reduction(256, seed=seed), n)
    unhit = datasets.noise_reduction(256, seed=seed, impulse_amplitude=0.0)
    power = np.abs(np.fft.rfft(clean, axis=1))
    told = power == power.max(axis=1, keepdims=True)
    oracle = np.fft.irfft(told * np.fft.rfft(datasets.take(unhit, n)[0], axis=1), axis=1)
    expected = 2 * (0.1**3 - 0.01**3) / (3 * 0.09) / clean.shape[1]
    luck = metrics.mse(clean, oracle).mean() / expected
    return (corrupted, clean), limits.noise_reduction() * luck


def main():
    sets = {}
    for seed in TEST_SEEDS:
        test, limit = held_out(seed, 8192)
        sets |= evaluation.score({f"seed {seed}": limits.estimate_sinusoid}, *test, limit=limit)
    mean = evaluation.over_seeds(list(sets.values()))
    print(evaluation.table(sets | {"mean": mean}, COLUMNS))
    RESULTS.write_text(json.dumps(rounded(mean | {"sets": sets}), indent=1) + "\n")


if __name__ == "__main__":
    main()

"""How much the scores of noise reduction depend on the seeds.

    python tests/benchmarks/seeds.py [NAME ...]

Trains the slow networks with three seeds exactly as NoiseReduction.ipynb does with the first, and
scores them on the first half of its test waveforms; scores the estimator, which is not trained, on
five sets of test waveforms. Writes docs/results/seeds.json. Takes three times what the notebook
takes to train them.
"""

import json
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
from record import rounded  # noqa: E402

from recon import datasets, evaluation, limits, metrics, models, training  # noqa: E402

SEEDS = [1, 4, 5]  # as in the notebook
TEST_SEEDS = [3, 11, 12, 13, 14]  # the first as in the notebook; the networks see no other
RESULTS = ROOT / "docs" / "results" / "seeds.json"
LOG = training.log_mean_squared_error
NETWORKS = {
    "encoder-decoder": (models.encoder_decoder, {"steps": 2400, "learning_rate": 2e-3}),
    "U-Net": (
        partial(models.unet, window=8, front=16),
        {"steps": 4500, "learning_rate": 3e-3, "ema_momentum": 0.995, "loss": LOG},
    ),
}
ESTIMATOR = "expectation-maximisation"
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


def network_rows(name):
    """Scores of one kind of network, per training seed."""
    build, options = NETWORKS[name]
    validation, _ = held_out(2, 2048)
    test, limit = held_out(TEST_SEEDS[0], 8192)
    networks, records = training.fit_seeds(
        build,
        partial(datasets.noise_reduction, 64),
        validation,
        seeds=SEEDS,
        path=ROOT / "runs" / "seeds_{seed}.keras",
        jit_compile=True,
        **options,
    )
    return {
        str(seed): evaluation.score({"": network}, *test, limit=limit)[""]
        | {"seconds": record["seconds"]}
        for seed, network, record in zip(SEEDS, networks, records, strict=True)
    }


def estimator_rows():
    """Scores of the estimator, per test seed."""
    rows = {}
    for seed in TEST_SEEDS:
        test, limit = held_out(seed, 8192)
        rows[str(seed)] = evaluation.score({"": limits.estimate_sinusoid}, *test, limit=limit)[""]
    return rows


def main(names):
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in names or [ESTIMATOR, *NETWORKS]:
        rows = estimator_rows() if name == ESTIMATOR else network_rows(name)
        mean = evaluation.over_seeds(list(rows.values()))
        results[name] = rounded(mean | {"seeds": rows})
        print(name, evaluation.table(rows | {"mean": mean}, COLUMNS), sep="\n", flush=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

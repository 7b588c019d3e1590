"""How much the slow networks of noise reduction depend on the training seed.

    python tests/benchmarks/seeds.py [NETWORK ...]

Trains each with three seeds exactly as NoiseReduction.ipynb does with the first, scores it on the
same test waveforms, and writes docs/results/seeds.json. Takes three times what they take there.
"""

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np

from recon import datasets, evaluation, limits, models, training

SEEDS = [1, 4, 5]  # as in the notebook
RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results" / "seeds.json"
LOG = training.log_mean_squared_error
NETWORKS = {
    "encoder-decoder": (models.encoder_decoder, {"steps": 2400, "learning_rate": 2e-3}),
    "U-Net": (
        partial(models.unet, window=8, front=16),
        {"steps": 6000, "learning_rate": 1.5e-3, "loss": LOG},
    ),
}


def main(names):
    validation = datasets.take(datasets.noise_reduction(256, seed=2), 2048)
    test = datasets.take(datasets.noise_reduction(256, seed=3), 8192)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in names or NETWORKS:
        build, options = NETWORKS[name]
        networks, records = training.fit_seeds(
            build,
            partial(datasets.noise_reduction, 64),
            validation,
            seeds=SEEDS,
            path="runs/seeds_{seed}.keras",
            jit_compile=True,
            **options,
        )
        rows = [
            evaluation.score({"": network}, *test, limit=limits.noise_reduction())[""]
            | {"seconds": record["seconds"]}
            for network, record in zip(networks, records, strict=True)
        ]
        gains = [row["gain_db"] for row in rows]
        summary = {"gain_db": float(np.mean(gains)), "spread_db": float(np.std(gains))}
        results[name] = summary | {"seeds": dict(zip(map(str, SEEDS), rows, strict=True))}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

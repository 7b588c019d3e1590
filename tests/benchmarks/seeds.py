"""How much the U-Net of noise reduction depends on the training seed: too long for the notebook.

    python tests/benchmarks/seeds.py

Trains it with each seed exactly as NoiseReduction.ipynb does with the first, scores it on the same
test waveforms, and writes docs/results/seeds.json. Takes three times the notebook's U-Net.
"""

import json
from pathlib import Path

import keras
import numpy as np

from recon import datasets, evaluation, limits, models, training

SEEDS = [1, 4, 5]  # as in the notebook
RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"


def main():
    validation = datasets.take(datasets.noise_reduction(256, seed=2), 2048)
    test = datasets.take(datasets.noise_reduction(256, seed=3), 8192)
    results = {}
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        network = models.unet(window=8, front=16)
        record = training.fit(
            network,
            datasets.noise_reduction(64, seed=seed),
            validation,
            steps=6000,
            path=f"runs/seeds_{seed}.keras",
            learning_rate=1.5e-3,
            loss=training.log_mean_squared_error,
            jit_compile=True,
        )
        score = evaluation.score({"U-Net": network}, *test, limit=limits.noise_reduction())["U-Net"]
        results[seed] = score | {"seconds": record["seconds"]}
        gains = [result["gain_db"] for result in results.values()]
        summary = {"gain_db": np.mean(gains), "spread_db": np.std(gains), "seeds": results}
        (RESULTS / "seeds.json").write_text(json.dumps({"U-Net": summary}, indent=1) + "\n")


if __name__ == "__main__":
    main()

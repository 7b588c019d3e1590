"""How much of the first notebook's U-Net is luck, and what each of its parts is worth.

    python tests/benchmarks/unet.py

Trains it as the notebook does from three seeds, and briefly from one without each part.
Writes docs/results/unet.json after every training; a run that was interrupted goes on.
"""

import json
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.estimator import DAMAGE, SIGNAL, held_out  # noqa: E402
from record import rounded  # noqa: E402

from recon import datasets, evaluation, models, training  # noqa: E402

SEEDS, VALIDATION_SEED, TEST_SEED = (1, 4, 5), 2, 3
STEPS, BRIEFLY = 8_000, 1_200
PARTS = {"stem": 32, "window": 8, "channels": (128, 192), "front": 16, "stages": 2}
WITHOUT = {
    "one stage": {"stages": 1},
    "no front": {"front": 0},
    "short filters": {"window": 2},
}
RESULTS = ROOT / "docs" / "results" / "unet.json"


def gain(seed, steps, **changes):
    """Score of one training on the notebook's test waveforms."""
    draw = partial(datasets.noise_reduction, **SIGNAL, **DAMAGE)
    (network,), (record,) = training.fit_seeds(
        partial(models.unet, **PARTS | changes),
        partial(draw, 64),
        datasets.take(draw(256, seed=VALIDATION_SEED), 2_048),
        seeds=[seed],
        path=f"runs/unet_{{seed}}_{steps}.keras",
        steps=steps,
        learning_rate=3e-3,
        loss=training.log_mean_squared_error,
        ema_momentum=0.995,
        validations=10,
        jit_compile=True,
    )
    test, limit = held_out(TEST_SEED, 16_384)
    score = evaluation.score({"U-Net": network}, *test, limit=limit)["U-Net"]
    return score | {"parameters": record["parameters"], "steps": steps}


def main():
    found = {}
    trainings = {f"seed {seed}": (seed, STEPS, {}) for seed in SEEDS}
    trainings["briefly"] = (SEEDS[0], BRIEFLY, {})
    trainings |= {f"briefly, {name}": (SEEDS[0], BRIEFLY, part) for name, part in WITHOUT.items()}
    for name, (seed, steps, changes) in trainings.items():
        found[name] = rounded(gain(seed, steps, **changes))
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    columns = {"gain_db": ("gain, dB", ".2f"), "to_limit_db": ("to the limit, dB", ".2f")}
    print(evaluation.table(found, columns, heading="U-Net"))


if __name__ == "__main__":
    main()

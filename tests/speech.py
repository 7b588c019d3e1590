"""Train the networks for speech that ship in recon/weights.

    python tests/speech.py FOLDER [NAME ...]

FOLDER holds the Free Spoken Digit Dataset (github.com/Jakobovski/free-spoken-digit-dataset,
CC BY-SA 4.0). Each network trains on the training part of its files, keeps the weights that are
best on the validation part, and goes to runs/NAME.keras with its curves beside it. Test files
(index 0 to 4) are not touched here; tests/benchmarks/recordings.py scores and publishes.
"""

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras

from recon import audio, corruptors, datasets, models, training

RATE = 8_000
DAMAGE = {
    "speech_denoise_8k": corruptors.noise(
        stddev=(0.005, 0.1), impulse_rate=(0.0, 0.01), impulse_amplitude=0.5, logarithmic=True
    )
} | {f"speech_hold{r}_8k": corruptors.hold(r) for r in (2, 4, 6)}


def interpolator(hold_length, **options):
    about = {"sample_rate": RATE, "purpose": f"speech held for {hold_length} samples"}
    return partial(models.interpolator, hold_length=hold_length, **options, **about)


BUILD = {
    "speech_denoise_8k": partial(
        models.denoiser, sample_rate=RATE, purpose="hiss and impulses in speech"
    ),
    # Positions of four knots, and few blocks whose reach grows fast.
    "speech_hold2_8k": interpolator(2, position=8, dilations=(1, 2, 4, 16, 32)),
    "speech_hold4_8k": interpolator(4),
    "speech_hold6_8k": interpolator(6, dilations=(1, 2, 4, 8, 16, 32)),
}
STEPS = {"speech_denoise_8k": 14_000, "speech_hold2_8k": 30_000, "speech_hold4_8k": 17_000}
STEPS |= {"speech_hold6_8k": 36_000}
AVERAGE = {"ema_momentum": 0.995}
OPTIONS = dict.fromkeys(BUILD, AVERAGE) | {"speech_hold4_8k": AVERAGE | {"jit_compile": True}}
BATCH_SIZE, N_SAMPLES, VALIDATION_CROPS = 16, 1_024, 512
SEED, VALIDATION_SEED, TEST_SEED = 1, 2, 3


def train(build, damage, parts, path, steps, **options):
    """Train one network on parts (training, validation); returns it and what `fit` returned."""
    keras.utils.set_random_seed(SEED)
    network = build()
    crops = partial(datasets.crops, n_samples=N_SAMPLES, damage=damage)
    held_back = datasets.take(crops(parts[1], 32, seed=VALIDATION_SEED), VALIDATION_CROPS)
    record = training.fit(
        network,
        crops(parts[0], BATCH_SIZE, seed=SEED),
        held_back,
        steps=steps,
        path=path,
        learning_rate=4e-3,
        loss=training.log_mean_squared_error,
        **options,
    )
    return network, record


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("names", nargs="*", default=list(BUILD))
    asked = parser.parse_args()
    recordings, _ = audio.load(asked.folder)
    parts = audio.split(recordings)
    for name in asked.names:
        path = Path("runs") / f"{name}.keras"
        _, record = train(BUILD[name], DAMAGE[name], parts, path, STEPS[name], **OPTIONS[name])
        path.with_suffix(".json").write_text(json.dumps(record))

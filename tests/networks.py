"""Train the networks for recordings that ship in recon/weights.

    python tests/networks.py FOLDER NAME ...

FOLDER holds recordings in speech/SOURCE/ and music/SOURCE/, any rate and format, and in fsdd/ the
Free Spoken Digit Dataset; docs/recordings.md says which. The folder test/ is not read. A tenth of
the people, by a hash of their names, is for validation. A network goes to runs/NAME.keras with its
curves beside it; a run that was interrupted goes on. tests/benchmarks/recordings.py scores and
publishes.
"""

import argparse
import hashlib
import json
import os
import re
import sys
from functools import cache, partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
import numpy as np
import soxr
import tensorflow as tf

from recon import audio, corruptors, datasets, models, training

SEED, VALIDATION_SEED, TEST_SEED = 1, 2, 3
SPEEDS = (0.88, 1.0, 1.14)  # of voices: each makes three
VALIDATION_CROPS, BATCH_SIZE = 160, 8
ANY = (1, 1_000_000)  # Hz


@keras.saving.register_keras_serializable(package="networks")
class Logarithm(keras.losses.Loss):
    """Logarithm of each crop's mean squared error and a floor, below which it is good enough.

    What lies within `edge` samples of a crop's ends does not count: nobody knows what lies beyond.
    """

    def __init__(self, floor, edge=0, **options):
        super().__init__(**options)
        self.floor, self.edge = floor, edge

    def call(self, clean, estimate):
        squares = (clean - estimate)[:, self.edge : clean.shape[1] - self.edge] ** 2
        return keras.ops.log(keras.ops.mean(squares, axis=(1, 2)) + self.floor)


SPEECH = {"speech/librispeech": 6, "speech/picovoice": 2, "speech/kathleen": 1}
SPEECH |= {"speech/klettres": 1, "speech/tuxpaint": 1}
NARROW = {"speech/librispeech", "speech/picovoice"}  # nothing above 8 kHz
MUSIC = {"music/wesnoth": 1, "music/piano": 0.3, "music/saxophone": 0.3, "music/bass": 0.3}
MUSIC |= {"music/guitar": 0.3, "music/drums": 0.3, "music/loops": 0.5}


def noise(rate):
    """The damage of the denoiser: of the first experiment, of old records, and next to none."""
    hiss = {"logarithmic": True, "stddev": (0.005, 0.1)}
    white = corruptors.noise(impulse_rate=(0.0, 0.01), impulse_amplitude=0.5, **hiss)
    records = corruptors.noise(
        impulse_rate=(0.0, 0.003),
        impulse_amplitude=1.0,
        impulse_size=(0.05, 1.0),
        impulse_length=(1, rate // 1000),
        tilt=(-6.0, 3.0),
        **hiss,
    )
    hiss["stddev"] = (1e-4, 5e-3)
    faint = corruptors.noise(impulse_rate=(0.0, 0.0), impulse_amplitude=0.0, **hiss)
    return corruptors.either({white: 0.66, records: 0.25, faint: 0.09})


def sources(folder, rate, *, narrow):
    """{source: {name: samples}} at a rate; voices at several speeds, each under its own name.

    narrow: whether sources count that have nothing in the upper part of the band.
    """
    found = {}
    for source in sorted({*SPEECH, *MUSIC}):
        if rate > 16_000 and source in NARROW and not narrow:
            continue
        found[source] = {}
        for speed in SPEEDS if source in SPEECH else (1.0,):
            files, _ = audio.load(folder / source, sample_rate=round(rate * speed))
            found[source] |= {f"{name} x{speed}": samples for name, samples in files.items()}
    if rate == 8_000:
        files, _ = audio.load(folder / "fsdd", sample_rate=rate)
        found["fsdd"] = audio.split(files)[0]
    return found


def held_back(source, name):
    """Whether a recording is for validation: people, not files, where the name tells."""
    person = re.split(r"[ ._-]", name)[source == "fsdd"] if source in SPEECH else name
    return hashlib.sha256(f"{source} {person}".encode()).digest()[0] < 26


@cache
def parts(folder, rate, low_passed=0):
    """(training, validation), each a pair of recordings and weights as `datasets.crops` takes.

    low_passed: hold length; in a sixth of the recordings what lies above the limit of its knots is
    then missing, as if they had been converted from that rate.
    """
    pair = ({}, {}), ({}, {})
    for source, files in sources(folder, rate, narrow=not low_passed).items():
        for name, samples in files.items():
            recordings, weights = pair[held_back(source, name)]
            weight = (SPEECH | MUSIC | {"fsdd": 1})[source]
            recordings[f"{source}/{name}"], weights[source] = samples, weight
            if low_passed:
                low = soxr.resample(soxr.resample(samples, low_passed, 1), 1, low_passed)
                recordings[f"low/{source}/{name}"], weights[f"low/{source}"] = low, weight / 5
    return pair


def pipelines(folder, n_samples, rates, damage, low_passed=0):
    """(training pipeline, validation arrays) of all rates, {rate: share}."""
    train, validation = [], []
    for rate, share in rates.items():
        crops = partial(datasets.crops, n_samples=n_samples, damage=damage(rate), gain=(0.3, 1.0))
        heard, others = parts(folder, rate, low_passed)
        train.append(crops(heard[0], BATCH_SIZE, seed=SEED, weights=heard[1]))
        some = crops(others[0], 32, seed=VALIDATION_SEED, weights=others[1])
        validation.append(datasets.take(some, round(share * VALIDATION_CROPS)))
    train = tf.data.Dataset.sample_from_datasets(train, list(rates.values()), seed=SEED)
    return train, tuple(map(np.concatenate, zip(*validation, strict=True)))


NOISY = {16_000: 0.42, 8_000: 0.28, 44_100: 0.3}  # {rate: share of the crops}
HELD = {16_000: 0.44, 8_000: 0.36, 44_100: 0.2}
MUSICAL = {16_000: 0.3, 8_000: 0.25, 44_100: 0.45}  # half of it voices
NETWORKS = {  # stages: (steps, learning rate, floor of the loss, rates), one after the other
    "denoise": {
        "build": partial(
            models.denoiser, sample_rate=(8_000, 48_000), purpose="hiss and clicks in recordings"
        ),
        "data": {"damage": noise},
        "n_samples": 8_192,
        "edge": 0,
        # A floor below which nearly clean crops, whose logarithms weigh most, are good enough: with
        # a lower one the network would begin, and stay, at changing nothing.
        "stages": ((32_000, 3e-3, 1e-5, NOISY), (15_000, 1e-3, 1e-6, NOISY)),
    }
}
for hold_length in (2, 4, 6):
    NETWORKS[f"hold_{hold_length}"] = {
        "build": partial(
            models.interpolator,
            hold_length=hold_length,
            sample_rate=ANY,
            purpose=f"recordings held for {hold_length} samples",
        ),
        "data": {
            "damage": lambda rate, hold_length=hold_length: corruptors.hold(hold_length),
            "low_passed": hold_length,
        },
        "n_samples": 9_216,
        "edge": 768,
        # Nearly clean crops count only once the network can tell them from the others. The longest
        # hold takes longest, and music comes last.
        "stages": (
            (2_500, 2e-3, 1e-5, HELD),
            *[(4_500, 1.5e-3, 1e-8, HELD)] * (4 if hold_length == 6 else 2),
            (6_000, 1.5e-3, 1e-8, MUSICAL),
        ),
    }


def main(folder, name, steps=None):
    network = NETWORKS[name]
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    keras.utils.set_random_seed(SEED)
    model = network["build"]()
    records = []
    for number, (most, learning_rate, floor, rates) in enumerate(network["stages"], 1):
        train, validation = pipelines(Path(folder), network["n_samples"], rates, **network["data"])
        record = training.fit(
            model,
            train,
            validation,
            steps=steps or most,
            path=Path("runs") / f"{name}_{number}.keras",
            learning_rate=learning_rate,
            loss=Logarithm(floor, network["edge"]),
            ema_momentum=0.998,
            validations=40,
            jit_compile=False,
        )
        records.append(record)
    path = Path("runs") / f"{name}.keras"
    path.with_suffix(".json").write_text(json.dumps(records))
    keras.mixed_precision.set_global_policy("float32")
    exact = network["build"]()
    exact.set_weights(model.get_weights())
    models.save(exact, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("name", choices=NETWORKS)
    parser.add_argument("--steps", type=int)
    asked = parser.parse_args()
    main(asked.folder, asked.name, asked.steps)

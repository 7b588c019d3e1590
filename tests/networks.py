"""Train the networks for recordings that ship in recon/weights.

    python tests/networks.py FOLDER NAME

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

from recon import audio, corruptors, datasets, models, restorers, signals, training

SEED, VALIDATION_SEED, TEST_SEED = 1, 2, 3
VALIDATION_CROPS, BATCH_SIZE = 160, 8

# Recordings. Of every rate a source is drawn by its weight, then a recording of it.

SPEECH = {"speech/librispeech": 6, "speech/picovoice": 2, "speech/kathleen": 1}
SPEECH |= {"speech/klettres": 1, "speech/tuxpaint": 1}
NARROW = {"speech/librispeech", "speech/picovoice"}  # nothing above 8 kHz
MUSIC = {"music/wesnoth": 1, "music/piano": 0.3, "music/saxophone": 0.3, "music/bass": 0.3}
MUSIC |= {"music/guitar": 0.3, "music/drums": 0.3, "music/loops": 0.5}
DIGITS, DIGITS_TEST = {"fsdd": 1}, "*_[0-4].*"  # at 8 kHz
WEIGHTS = SPEECH | MUSIC | DIGITS
SPEEDS = (0.88, 1.0, 1.14)  # of voices: each makes three


def sources(folder, rate, *, narrow):
    """{source: {name: samples}} at a rate; voices at several speeds, each under its own name.

    narrow: whether sources count that have nothing in the upper part of the band.
    """
    recordings = {}
    for source in sorted({*SPEECH, *MUSIC}):
        if rate > 16_000 and source in NARROW and not narrow:
            continue
        recordings[source] = {}
        for speed in SPEEDS if source in SPEECH else (1.0,):
            files, _ = audio.load(folder / source, sample_rate=round(rate * speed))
            recordings[source] |= {f"{name} x{speed}": samples for name, samples in files.items()}
    if rate == 8_000:
        files, _ = audio.load(folder / "fsdd", sample_rate=rate)
        recordings["fsdd"] = audio.split(files, test=DIGITS_TEST)[0]
    return recordings


def held_back(source, name):
    """Whether a recording is for validation: people, not files, where the name tells."""
    person = re.split(r"[ ._-]", name)[source == "fsdd"] if source in SPEECH | DIGITS else name
    return hashlib.sha256(f"{source} {person}".encode()).digest()[0] < 26


@cache
def parts(folder, rate, low_passed=0):
    """(training, validation), each {source: (weight, {name: samples})}.

    low_passed: hold length; in a sixth of the recordings what lies above the Nyquist frequency of
    its knots is then missing, as if they had been converted from that rate.
    """
    training, validation = {}, {}
    for source, files in sources(folder, rate, narrow=not low_passed).items():
        for name, samples in files.items():
            part = validation if held_back(source, name) else training
            part.setdefault(source, (WEIGHTS[source], {}))[1][name] = samples
            if low_passed:
                low = soxr.resample(soxr.resample(samples, low_passed, 1), 1, low_passed)
                part.setdefault(f"low/{source}", (WEIGHTS[source] / 5, {}))[1][name] = low
    return training, validation


def mixed(sources, batch_size, *, seed, **options):
    """Crops as `datasets.crops` makes them, each of a source that is drawn by its weight."""
    weights, recordings = zip(*sources.values(), strict=True)
    crops = [
        datasets.crops(files, 1, seed=seed + 10 * number, **options)
        for number, files in enumerate(recordings)
    ]
    shares = [weight / sum(weights) for weight in weights]
    one_by_one = tf.data.Dataset.sample_from_datasets(crops, shares, seed=seed).unbatch()
    return one_by_one.batch(batch_size, drop_remainder=True)


def pipelines(folder, n_samples, rates, damage, low_passed=0):
    """(training pipeline, validation arrays) of all rates, {rate: share}."""
    train, validation = [], []
    for rate, share in rates.items():
        options = {"n_samples": n_samples, "damage": damage(rate), "gain": (0.3, 1.0)}
        heard, others = parts(folder, rate, low_passed)
        train.append(mixed(heard, BATCH_SIZE, seed=SEED, **options))
        some = mixed(others, 32, seed=VALIDATION_SEED, **options)
        validation.append(datasets.take(some, round(share * VALIDATION_CROPS)))
    train = tf.data.Dataset.sample_from_datasets(train, list(rates.values()), seed=SEED)
    return train, tuple(map(np.concatenate, zip(*validation, strict=True)))


# Damage. Formulas: docs/signals.md.


def noise(rate):
    """The damage of the denoiser: of the first experiment, of old records, and next to none."""
    hiss = {"logarithmic": True, "stddev": (0.005, 0.1)}
    white = corruptors.noise(impulse_rate=(0.0, 0.01), impulse_amplitude=0.5, **hiss)
    records = old_records(rate, stddev=(0.005, 0.1), tilt=(-6.0, 3.0), click_rate=(0.0, 0.003))
    hiss["stddev"] = (1e-4, 5e-3)
    faint = corruptors.noise(impulse_rate=(0.0, 0.0), impulse_amplitude=0.0, **hiss)
    return either({white: 0.66, records: 0.25, faint: 0.09})


def either(shares):
    """Damage of one kind or another, {damage: how often}, drawn per waveform."""
    logits = np.log([list(shares.values())], dtype=np.float32)

    def corrupt(clean, seed):
        seeds = tf.random.split(seed, len(shares) + 1)
        which = tf.random.stateless_categorical(logits, tf.shape(clean)[0], seeds[-1])[0]
        kinds = [damage(clean, seeds[i]) for i, damage in enumerate(shares)]
        return tf.gather(tf.stack(kinds, axis=1), which, axis=1, batch_dims=1)

    return corrupt


def old_records(rate, *, stddev, tilt, click_rate):
    """Tilted hiss, and clicks of 0.05 to 1 that ring for a millisecond at most.

    Args:
        rate: Hz.
        stddev: range of the hiss's standard deviation, uniform in its logarithm.
        tilt: range of its slope, dB per octave; below 0 it is darker than white noise.
        click_rate: range of the probability that a click begins at a sample.
    """

    def corrupt(clean, seed):
        seeds, count = tf.unstack(tf.random.split(seed, 6)), tf.shape(clean)[0]
        levels = signals.uniform(stddev, count, seeds[0], logarithmic=True)[:, None]
        slopes = signals.uniform(tilt, count, seeds[1])[:, None]
        hiss = levels * tilted(signals.normal(tf.shape(clean), seeds[2]), slopes)
        rates = signals.uniform(click_rate, count, seeds[3])
        hits = corruptors.add_impulse_noise(tf.zeros_like(clean), rates, 1.0, seed=seeds[4])
        return clean + hiss + clicks(hits, (0.05, 1.0), (1, rate // 1000), seeds[5])

    return corrupt


def tilted(noise, tilt):
    """White noise [batch, n_samples] with a slope of `tilt` dB per octave [batch, 1].

    It is flat in the lowest 64th of the band; the standard deviation stays.
    """
    spectrum, n_samples = tf.signal.rfft(noise), tf.shape(noise)[1]
    bins = tf.shape(spectrum)[1]
    both = tf.range(n_samples)  # of all bins, those of negative frequencies included
    height = tf.maximum(tf.minimum(both, n_samples - both) / bins, 1 / 64)
    gain = tf.cast(height, tf.float32) ** (tilt / (20 * np.log10(2)))
    gain /= tf.sqrt(tf.reduce_mean(gain**2, axis=1, keepdims=True))
    tilted = tf.signal.irfft(spectrum * tf.cast(gain[:, :bins], spectrum.dtype), [n_samples])
    return tf.ensure_shape(tilted, noise.shape)


def clicks(hits, size, length, seed):
    """Clicks in the place of `hits` [batch, n_samples], which are 0, 1 and -1.

    A click falls along a quarter of a cosine, and half of them ring. Its size is uniform in the
    logarithm between both numbers of `size`, its length, in samples, between those of `length`.
    """
    places, longest = tf.where(hits != 0), length[1]  # [clicks, 2]
    count, seeds = tf.shape(places)[0], tf.unstack(tf.random.split(seed, 3))
    sizes = signals.uniform(size, count, seeds[0], logarithmic=True)[:, None]
    lengths = signals.uniform(length, count, seeds[1], whole=True)[:, None]
    pitches = tf.nn.relu(signals.uniform((-np.pi, np.pi), count, seeds[2]))[:, None]
    later = tf.range(longest, dtype=tf.float32)  # samples after the hit
    shapes = sizes * tf.cos(np.pi / 2 * tf.minimum(later / lengths, 1)) * tf.cos(pitches * later)
    shapes *= tf.gather_nd(hits, places)[:, None]  # [clicks, longest]
    ahead = tf.constant([[0, j] for j in range(longest)], tf.int64)
    batch, n_samples = tf.unstack(tf.shape(hits, tf.int64))
    longer = tf.scatter_nd(places[:, None] + ahead, shapes, [batch, n_samples + longest])
    return tf.ensure_shape(longer[:, :n_samples], hits.shape)


# Training.


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


NOISY = {16_000: 0.42, 8_000: 0.28, 44_100: 0.3}  # {rate: share of the crops}
HELD = {16_000: 0.44, 8_000: 0.36, 44_100: 0.2}
MUSICAL = {16_000: 0.3, 8_000: 0.25, 44_100: 0.45}  # half of it voices
ANY = (1, 1_000_000)  # Hz
NETWORKS = {  # stages: (steps, learning rate, floor of the loss, rates), one after the other
    "denoise": {
        "build": partial(
            restorers.denoiser, sample_rate=(8_000, 48_000), purpose="hiss and clicks in recordings"
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
            restorers.interpolator,
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

"""Restore every r-th sample of recordings, as published work on audio super-resolution scores it.

    python tests/benchmarks/super_resolution.py FOLDER TITLE --test PATTERN ... [--only PATTERN ...]

Trains a network per ratio on the files of FOLDER that are like --only and not like --test, once
without and once with the low-pass that Kuleshov, Enam and Ermon put before the decimation; scores
it on the others beside the untouched steps, the cubic spline and the best linear interpolator; and
writes all of it to docs/results/super_resolution.json under TITLE. docs/recordings.md says which
commands would repeat the published table.
"""

import argparse
import json
import sys
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402
from record import rounded  # noqa: E402
from scipy import signal  # noqa: E402

from recon import (  # noqa: E402
    audio,
    baselines,
    corruptors,
    datasets,
    evaluation,
    metrics,
    models,
    restorers,
    training,
)

RESULTS = ROOT / "docs" / "results" / "super_resolution.json"
PROTOCOLS = ("no low-pass", "low-pass")
FRAME_S = 0.128  # of the log-spectral distance: 2,048 samples at 16 kHz, as in the publication
SHAPE = {"position": 8, "channels": 64, "dilations": (1, 2, 4, 8, 16) * 2}
BATCH_SIZE, N_SAMPLES, VALIDATION_CROPS = 16, 1_024, 512
SEED, VALIDATION_SEED, TEST_SEED = 1, 2, 3
REACH = 512  # samples on either side after which the low-pass has died away


def low_passed_hold(ratio):
    """Damage: a Chebyshev low-pass of order 8 run forwards and backwards, then every r-th sample.

    What `scipy.signal.decimate` does by default, as one symmetric convolution.
    """
    import tensorflow as tf

    filtering = signal.cheby1(8, 0.05, 0.8 / ratio, output="sos")
    impulse = np.zeros(2 * REACH + 1)
    impulse[REACH] = 1
    kernel = signal.sosfiltfilt(filtering, impulse, padlen=0).astype(np.float32)[:, None, None]

    def damage(clean, seed):
        low = tf.nn.conv1d(tf.cast(clean, tf.float32)[..., None], kernel, 1, "SAME")[..., 0]
        return corruptors.sample_and_hold(low, ratio)

    return damage


def dilated(ratio, keep_knots, sample_rate, *, position, channels, dilations, experts=8):
    """A network in time: it chooses among linear interpolators, and adds what they cannot know.

    Args:
        ratio: samples per knot.
        keep_knots: False where a low-pass has been at the knots, so that they need restoring too.
        sample_rate: Hz.
        position: samples that make one position of the network, rounded to whole knots.
        channels, dilations: of its blocks.
        experts: linear interpolators of 33 positions to choose from.
    """
    exact, convolution = models.EXACT, restorers._convolution
    signal = keras.Input((None, 1))
    together = max(1, round(position / ratio))  # knots that share a position
    knots = layers.MaxPooling1D(1, strides=ratio, **exact)(signal)
    x = layers.Reshape((-1, together), **exact)(knots)
    written = ratio - 1 if keep_knots else ratio  # samples per knot
    linear = convolution(experts * together * written, 33, **exact)(x)
    seen = restorers._dilated(convolution(channels, 5, **exact)(x), dilations)
    linear = restorers.Choice(experts, **exact)(linear, convolution(experts, 3)(seen))
    change = convolution(together * written, 3, kernel_initializer="zeros")
    x = layers.Add(**exact)([linear, change(seen)])
    x = layers.Reshape((-1, written), **exact)(x)
    if keep_knots:
        x = layers.Concatenate(**exact)([knots, x])
    x = layers.Reshape((-1, 1), **exact)(x)
    return models.Network(signal, x, "dilated", sample_rate=sample_rate, hold_length=ratio)


def train(build, damage, parts, path, steps):
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
    )
    return network, record


def compare(parts, sample_rate, ratio, low_pass, steps):
    """Train a network and score it beside what needs no learning; returns the scores."""
    damage = low_passed_hold(ratio) if low_pass else corruptors.hold(ratio)
    build = partial(dilated, ratio, not low_pass, sample_rate, **SHAPE)
    path = ROOT / "runs" / "super_resolution.keras"
    network, record = train(build, damage, parts, path, steps)
    known = baselines.interpolators(ratio)
    methods = {name: known[name] for name in ("step-hold", "cubic spline")}
    if not low_pass:
        methods["best linear"] = baselines.best_linear(parts[0].values(), ratio)
    distance = partial(
        metrics.log_spectral_distance, frame_length=2 * round(FRAME_S * sample_rate / 2)
    )
    files = evaluation.score_files(
        methods | {"network": network},
        parts[2],
        damage,
        seed=TEST_SEED,
        measures={"lsd": distance},
    )
    about = {"steps": steps, "seconds": record["seconds"], "parameters": record["parameters"]}
    return about | {"scores": evaluation.per_file(files)}


def is_like(name, patterns):
    """Whether a file's name, or that of it with its folders, is like one of several patterns."""
    return any(fnmatch(part, x) for x in patterns for part in (name, Path(name).name))


def main(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("title", help="of the row, such as 'one speaker'")
    parser.add_argument("--test", nargs="+", required=True, metavar="PATTERN")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN")
    parser.add_argument("--protocols", nargs="+", default=PROTOCOLS, choices=PROTOCOLS)
    parser.add_argument("--ratios", nargs="+", type=int, default=[2, 4, 6])
    parser.add_argument("--sample-rate", type=int, help="to convert to, Hz")
    parser.add_argument("--steps", type=int, default=1_600, help="of training, per network")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    recordings, sample_rate = audio.load(options.folder, sample_rate=options.sample_rate)
    chosen = {name: x for name, x in recordings.items() if is_like(name, options.only)}
    marked = {is_like(name, options.test) * "test/" + name: x for name, x in chosen.items()}
    parts = audio.split(marked, test="test/*")
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    rows = results.setdefault(options.title, {protocol: {} for protocol in PROTOCOLS})
    rows |= {"files": [len(part) for part in parts], "sample_rate": sample_rate}
    for protocol in options.protocols:
        for ratio in options.ratios:
            scores = compare(parts, sample_rate, ratio, protocol == "low-pass", options.steps)
            rows[protocol][str(ratio)] = rounded(scores)
            print(f"{options.title}, {protocol}, ratio {ratio}")
            print(evaluation.table(scores["scores"], COLUMNS), flush=True)
            options.results.write_text(json.dumps(results, indent=1) + "\n")


COLUMNS = {
    "snr_db": ("mean SNR per file, dB", ".1f"),
    "worst_db": ("worst file, dB", ".1f"),
    "lsd": ("LSD", ".2f"),
}

if __name__ == "__main__":
    main()

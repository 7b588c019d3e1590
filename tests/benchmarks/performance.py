"""How fast the project is, as ratios within one run, and how long one waits for it.

    python tests/benchmarks/performance.py [PART ...] [--before FOLDER] [--quick]

Prints tables and writes them to docs/results/performance.json; docs/performance.md explains them.
Every time is the median of several runs; the spread is the distance between the fastest and the
slowest, as a share of it. Nothing else should run on the machine. Takes about an hour. JAX is
measured where it is installed.

FOLDER is another checkout of the project: what one waits for there is measured in turn with this
one. --quick tries all of it on next to nothing, and writes nothing.
"""

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import keras  # noqa: E402
import networks  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from benchmarks import estimator, unet  # noqa: E402
from record import rounded  # noqa: E402
from tensorflow.python.framework.convert_to_constants import (  # noqa: E402
    convert_variables_to_constants_v2,
)

from recon import (  # noqa: E402
    audio,
    baselines,
    datasets,
    evaluation,
    metrics,
    models,
    settings,
    signals,
    training,
)

RESULTS = ROOT / "docs" / "results" / "performance.json"
BATCH, N_SAMPLES = 256, 256  # of the generators
LOG = training.log_mean_squared_error


def timed(call, repeats=7):
    """{"seconds", "spread"} of a call, after one that is not counted."""
    repeats = settings.choose(full=repeats, quick=1)
    call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    median = float(np.median(times))
    return {"seconds": median, "spread": (max(times) - min(times)) / median}


def plain_loop(random):
    """One pair of the noise experiment, sample by sample, as the first version of it did."""
    clean, corrupted = np.zeros(N_SAMPLES), np.zeros(N_SAMPLES)
    cycles, amplitude = random.integers(1, 33), random.uniform(0.05, 1.0)
    phase, stddev = random.uniform(0, 2 * np.pi), random.uniform(0.01, 0.1)
    rate = random.uniform(0.0, 0.02)
    for n in range(N_SAMPLES):
        clean[n] = amplitude * np.sin(2 * np.pi * cycles * n / N_SAMPLES + phase)
        corrupted[n] = clean[n] + random.normal(0.0, stddev)
        if random.random() < rate:
            corrupted[n] += 0.5 if random.random() < 0.5 else -0.5
    return corrupted, clean


def vectorised(random):
    """A batch of the same in NumPy, in as few and as small operations as we know."""

    def draw(low, high):
        return random.uniform(low, high, (BATCH, 1)).astype(np.float32)

    turns = random.integers(1, 33, (BATCH, 1)) / N_SAMPLES * np.arange(N_SAMPLES)
    clean = draw(0.05, 1.0) * np.sin(np.float32(2 * np.pi * turns) + draw(0, 2 * np.pi))
    hiss = random.standard_normal((BATCH, N_SAMPLES), dtype=np.float32)
    hit = random.random((BATCH, N_SAMPLES), dtype=np.float32)
    half = draw(0.0, 0.01)
    impulses = np.where(hit < half, 0.5, np.where(hit < 2 * half, -0.5, 0.0)).astype(np.float32)
    return clean + draw(0.01, 0.1) * hiss + impulses, clean


def random_numbers(index):
    """What a batch has to draw, and nothing else."""
    seeds = tf.random.split(tf.stack([tf.constant(1, tf.int64), index]), 7)
    shape = [BATCH, N_SAMPLES]
    few = [signals.uniform((0.0, 1.0), BATCH, seeds[i]) for i in range(5)]
    noise = signals.normal(shape, seeds[5])
    return noise, tf.random.stateless_uniform(shape, seeds[6]), few


def generators():
    """Waveforms per second of each way to make them, at a batch of 256."""
    random = np.random.default_rng(1)
    numbers = tf.data.Dataset.counter().map(random_numbers, num_parallel_calls=tf.data.AUTOTUNE)

    def drain(batches):
        """Begins anew, as nothing may be made ahead in the others' turns; all but one are thrown
        away, as what one does with a batch is not what is measured."""
        count = settings.choose(full=1_000, quick=10)
        return sum(1 for _ in batches.skip(count - 1).take(1)) * count * BATCH

    ways = {  # name: call that makes waveforms and says how many
        "plain loop": lambda: len([plain_loop(random) for _ in range(200)]),
        "vectorised NumPy": lambda: len([vectorised(random) for _ in range(500)]) * BATCH,
        "datasets.noise_reduction": partial(drain, datasets.noise_reduction(BATCH, seed=1)),
        "random numbers alone": partial(drain, numbers.prefetch(tf.data.AUTOTUNE)),
    }

    def speed(make):
        started = time.perf_counter()
        return make() / (time.perf_counter() - started)

    rounds = settings.choose(full=15, quick=1)
    turns = [[speed(make) for make in ways.values()] for _ in range(rounds + 1)][1:]
    rows = {}
    for name, speeds in zip(ways, np.transpose(turns), strict=True):
        median = np.median(speeds)
        rows[name] = {"per_second": median, "spread": np.ptp(speeds) / median}
    for row in rows.values():
        row["times_plain_loop"] = row["per_second"] / rows["plain loop"]["per_second"]
    return rows


def crops(damage):
    """Crops as the networks for recordings train on, of the recordings that ship."""
    recordings, rate = audio.load(ROOT / "recon" / "recordings")
    how = {"n_samples": 4_096, "damage": damage(rate)}
    return datasets.crops(recordings, networks.BATCH_SIZE, seed=1, **how)


NETWORKS = {  # name: (builder, pipeline, XLA)
    "encoder-decoder": (
        models.encoder_decoder,
        lambda: datasets.noise_reduction(64, seed=1),
        False,
    ),
    "U-Net": (
        partial(models.unet, **unet.PARTS),
        lambda: datasets.noise_reduction(64, seed=1),
        True,
    ),
    "unrolled": (models.unrolled, lambda: datasets.noise_reduction(128, seed=1), False),
    "encoder-decoder, held": (
        models.encoder_decoder,
        lambda: datasets.inverse_quantization(64, seed=1),
        True,
    ),
    "U-Net, held": (
        partial(models.unet, stem=10, channels=(128, 192)),
        lambda: datasets.inverse_quantization(64, seed=1),
        True,
    ),
    "mixture": (models.mixture, lambda: datasets.inverse_quantization(64, seed=1), False),
}
for name, network in networks.NETWORKS.items():
    NETWORKS[name] = network["build"], partial(crops, network["data"]["damage"]), False


def operations(model, shape):
    """Floating-point operations of one forward pass, counted by TensorFlow's profiler."""
    given = tf.TensorSpec(shape, tf.float32)
    frozen = convert_variables_to_constants_v2(tf.function(model).get_concrete_function(given))
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(frozen.graph, options=options).total_float_ops


def product_rate(n=1_024):
    """Operations per second of a plain product of float32 matrices."""
    a = tf.random.stateless_normal([n, n], (1, 2))
    product = tf.function(lambda x: tf.matmul(x, a))
    return 2 * n**3 / timed(lambda: product(a).numpy())["seconds"]


def step(name, rate):
    """The parts of one training step, in milliseconds."""
    build, pipeline, xla = NETWORKS[name]
    model, fresh = build(), pipeline()
    corrupted, clean = next(iter(fresh))
    optimizer = keras.optimizers.Adam(1e-4)
    optimizer.build(model.trainable_variables)

    def forward(corrupted, clean):
        return tf.reduce_mean(LOG(clean, model(corrupted, training=True)))

    def backward(corrupted, clean):
        with tf.GradientTape() as tape:
            loss = forward(corrupted, clean)
        return tape.gradient(loss, model.trainable_variables)

    def update(corrupted, clean):
        optimizer.apply(backward(corrupted, clean), model.trainable_variables)

    parts = [tf.function(part, jit_compile=xla) for part in (forward, backward, update)]
    parts.append(tf.function(update, jit_compile=not xla))
    times = [timed(partial(part, corrupted, clean), 15) for part in parts]
    seconds = [part["seconds"] for part in times]
    in_fit, data = paced(model, fresh, xla)
    achieved = operations(model, corrupted.shape) / seconds[0]
    return {
        "forward_ms": 1e3 * seconds[0],
        "backward_ms": 1e3 * (seconds[1] - seconds[0]),
        "optimizer_ms": 1e3 * (seconds[2] - seconds[1]),
        "step_ms": 1e3 * in_fit,
        "spread": times[2]["spread"],
        "xla_gain": (seconds[3] / seconds[2]) if xla else (seconds[2] / seconds[3]),
        "data": data,
        "of_product_rate": achieved / rate,
    }


def paced(model, fresh, xla):
    """Seconds of a training step inside `fit`, and the share that fresh batches add to it."""
    model.compile(keras.optimizers.Adam(1e-4), LOG, jit_compile=xla)
    cached = tf.data.Dataset.from_tensors(next(iter(fresh))).repeat()
    fit(model, cached, 1)
    least, rounds = settings.choose(full=(20, 5), quick=(1, 2))
    # More than a second, or starting the pipeline would outweigh it.
    count = max(least, round(least / 15 / fit(model, cached, least)))
    pairs = [(fit(model, fresh, count), fit(model, cached, count)) for _ in range(rounds)][1:]
    fastest = [min(times) for times in zip(*pairs, strict=True)]  # others only ever add to a time
    return float(np.median([without for _, without in pairs])), fastest[0] / fastest[1] - 1


def fit(model, data, count):
    """Seconds of each of `count` training steps."""
    started = time.perf_counter()
    model.fit(data, steps_per_epoch=count, shuffle=False, verbose=0)
    return (time.perf_counter() - started) / count


def steps():
    rate = product_rate()
    return {"matrix product": {"per_second": rate}} | {name: step(name, rate) for name in NETWORKS}


def limit():
    """Seconds of training until the validation error is within so many dB of the limit; of three
    seeds the slowest. For a single U-Net, one seed, until it gains 17 dB."""
    noise, noise_mse = estimator.held_out(2, 2_048)
    single = partial(models.unet, window=8, front=16)
    short = {"steps": 2_500, "learning_rate": 3e-3, "ema_momentum": 0.99}
    short |= {"jit_compile": True, "loss": LOG}
    half_way = {"17 dB of gain": metrics.mse(*noise).mean() / 10**1.7}
    step_held = {"n_samples": 100, "cycles": (1, 9), "amplitude": (0.05, 1.0), "phase": (0.0, 0.0)}
    step_held |= {"hold_length": 10}
    held = datasets.take(datasets.inverse_quantization(256, seed=2, **step_held), 2_048)
    held_mse = metrics.mse(held[1], baselines.posterior_mean(held[0], **step_held)).mean()
    any_phase = {"n_samples": 256, "cycles": (1, 15), "phase": (0.0, 2 * np.pi), "hold_length": 8}
    free = datasets.take(datasets.inverse_quantization(256, seed=2, **any_phase), 2_048)
    sixty_db = np.mean(free[1] ** 2) / 1e6
    runs = {  # name: (builder, pipeline, validation, goals in mean squared error, options of fit)
        "U-Net": (single, partial(datasets.noise_reduction, 64), noise, half_way, short),
        "noise reduction": (
            models.unrolled,
            partial(datasets.noise_reduction, 128),
            noise,
            {f"{db} dB from the limit": noise_mse * 10 ** (db / 10) for db in (1.0, 0.3, 0.1)},
            {"steps": 600, "learning_rate": 1e-2, "loss": LOG},
        ),
        "time quantization": (
            models.mixture,
            partial(datasets.inverse_quantization, 64),
            held,
            {f"{db} dB from the limit": held_mse * 10 ** (db / 10) for db in (1.0, 0.3, 0.1)},
            {"steps": 4_000, "learning_rate": 5e-3},
        ),
        "time quantization, any phase": (
            partial(models.mixture, frame_length=256, hold_length=8, experts=1),
            partial(datasets.inverse_quantization, 128, **any_phase),
            free,
            {"60 dB": sixty_db},
            {"steps": 3_000, "learning_rate": 5e-3},
        ),
    }
    rows = {}
    seeds = settings.choose(full=[1, 4, 5], quick=[1])
    with tempfile.TemporaryDirectory() as folder:  # or finished training would be found there
        for name, (build, pipeline, validation, goals, options) in runs.items():
            options["steps"] = settings.choose(full=options["steps"], quick=3)
            path = Path(folder) / f"{name}_{{seed}}.keras"
            how = {"seeds": [1] if build is single else seeds, "path": path} | options
            _, records = training.fit_seeds(build, pipeline, validation, **how)
            rows[name] = {"all steps": max(record["seconds"] for record in records)}
            for goal, mse in goals.items():
                rows[name][goal] = max(reached(record, mse) for record in records)
    return rows


def reached(record, mse):
    """Seconds until the validation error was first that low; infinite if it never was."""
    pairs = zip(record["second"], record["validation_mse"], strict=True)
    return min((second for second, error in pairs if error <= mse), default=float("inf"))


ONE_CORE = """
import os, sys, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
from benchmarks.performance import product_rate
import recon
from recon import framing
network = recon.load(sys.argv[1])
signal = np.random.default_rng(1).uniform(-1, 1, 60 * 48_000).astype(np.float32)
seconds, rates = [], []
for _ in range(4):
    started = time.perf_counter()
    framing.restore(network, signal, chunk_length=recon.BLOCK)
    seconds.append(time.perf_counter() - started)
    rates.append(product_rate())
print(60 / np.median(seconds[1:]), np.median(rates[1:]))
"""


def times_real_time(path):
    """Seconds of sound at 48 kHz that a network restores in a second, on one core, block by block
    as the command line does: the median of three runs. Beside it what the core does in a product of
    matrices, in turn with those runs: cores differ, and the ratio does not."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [sys.executable, "-c", ONE_CORE, str(path)]
    run = subprocess.run(
        command, capture_output=True, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": paths}
    )
    times, rate = map(float, run.stdout.split())
    return {"times_real_time": times, "product_per_second": rate}


def restoration():
    """How many seconds of sound each network for recordings restores in a second, on one core."""
    weights = {name: ROOT / "recon" / "weights" / f"{name}.keras" for name in networks.NETWORKS}
    return {name: times_real_time(path) for name, path in weights.items()}


WAYS = {"TensorFlow": "tensorflow", "TensorFlow, XLA": "tensorflow", "JAX": "jax"}
PACE = "import sys; from benchmarks import performance; performance.pace(*sys.argv[1:])"


def pace(name, xla):
    """Print training steps per second of a network under one backend, as JSON.

    xla: text, empty where nothing shall be compiled.
    """
    build, pipeline, _ = NETWORKS[name]
    seconds, data = paced(build(), pipeline(), bool(xla))
    print(json.dumps({"device": training.devices(), "per_second": 1 / seconds, "data": data}))


def backends():
    """Training steps per second of every network, per way to run it, and what data add to a step:
    each in a process of its own, one network after the other, as the machine's speed drifts."""
    rows = {}
    ways = {way: backend for way, backend in WAYS.items() if backend != "jax" or installed("jax")}
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    for name, (way, backend) in itertools.product(NETWORKS, ways.items()):
        command = [sys.executable, "-c", PACE, name, "" if way == "TensorFlow" else "xla"]
        environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": paths}
        run = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        found = json.loads(run.stdout.splitlines()[-1])
        row = {way: found["per_second"], f"{way}: data": found["data"]}
        rows[name] = rows.get(name, {}) | row
    return rows


def installed(package):
    """The version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def machine():
    """The machine in words."""
    processor = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        lines = described.read_text().splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        processor = names[0] if names else processor
    cores = f"{len(os.sched_getaffinity(0))} cores"
    cards = [
        tf.config.experimental.get_device_details(card).get("device_name", card.name)
        for card in tf.config.list_physical_devices("GPU")
    ]
    packages = {"TensorFlow": "tensorflow", "Keras": "keras", "JAX": "jax", "NumPy": "numpy"}
    versions = [f"{name} {installed(key)}" for name, key in packages.items() if installed(key)]
    return ", ".join([processor, cores, *cards, f"Python {platform.python_version()}", *versions])


PARTS = {part.__name__: part for part in (generators, steps, limit, restoration, backends)}


def main(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args(arguments)
    if asked.quick:
        os.environ["RECON_PROFILE"] = "quick"
    results = {}
    if asked.parts and RESULTS.exists():  # the rest as it was
        results = json.loads(RESULTS.read_text())
    results["machine"] = machine()
    print(results["machine"])
    for part in asked.parts or PARTS:
        results[part] = rounded(PARTS[part]())
        columns = {
            key: (key, "" if isinstance(value, str) else ".4g")
            for row in results[part].values()
            for key, value in row.items()
        }
        print(part, evaluation.table(results[part], columns), sep="\n", flush=True)
        if not asked.quick:
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Training in processes of its own: on devices that it refuses, and killed."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
TRAIN = """
import hashlib, json, sys
import keras, numpy as np, tensorflow  # which imports jax itself, where it is installed
others = set(sys.modules)
from recon import datasets, models, training
print(training.devices(), flush=True)
keras.utils.set_random_seed(1)
data = {"n_samples": 64, "cycles": (1, 8)}
record = training.fit(
    models.unet(stem=8, channels=(8, 12)),
    datasets.noise_reduction(32, seed=1, **data),
    datasets.take(datasets.noise_reduction(64, seed=2, **data), 64),
    steps=60, validations=6, path=sys.argv[1], loss=training.log_mean_squared_error,
)
weights = keras.saving.load_model(sys.argv[1], compile=False).get_weights()
digest = hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest()
ours = sorted(name for name in {*sys.modules} - others if name.startswith("jax"))
print(json.dumps([record["loss"], record["validation_loss"], digest, ours]))
"""
REFUSED = """
import tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
parts = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(processor, parts)
from recon import datasets, models, training
data = datasets.noise_reduction(32, seed=1)
settings = {"steps": 2, "path": "never.keras"}
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    made = models.mixture()
for scope in strategy.scope(), tf.distribute.get_strategy().scope():
    with scope:
        try:
            training.fit(made, data, datasets.take(data, 32), **settings)
        except ValueError as error:
            print(error)
"""


def start(*arguments, **environment):
    """A process that runs a program."""
    environment = (
        os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"} | environment
    )
    return subprocess.Popen(
        [sys.executable, "-c", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment,
    )  # fmt: skip


def outcome(process):
    """(devices, losses of training and validation, digest of the weights, modules of JAX) that it
    ends with, and the rounds that took."""
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors[-2000:]
    lines = output.splitlines()
    return (lines[0], *json.loads(lines[-1])), output.count("validation error")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process on one device, never interrupted, ends with."""
    found, rounds = outcome(start(TRAIN, tmp_path_factory.mktemp("alone") / "net.keras"))
    assert rounds == 6
    return found


def test_one_device_is_the_default_and_jax_is_not_imported(alone):
    assert alone[0] == "CPU:0"
    assert alone[-1] == []


def test_a_strategy_of_several_devices_is_refused_in_one_line():
    output, errors = start(REFUSED).communicate(timeout=120)
    lines = output.splitlines()
    assert len(lines) == 2, errors[-2000:]  # in the strategy's scope and out of it
    for line in lines:
        assert re.fullmatch("strategy .* one replica, .*KERAS_BACKEND=jax.*, got 2", line)


def test_several_machines_need_jax():
    several = {"KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}
    _, errors = start("from recon import training", **several).communicate(timeout=120)
    assert re.fullmatch("ValueError: KERAS_BACKEND must .*'tensorflow'", errors.splitlines()[-1])


def test_a_run_that_is_killed_again_and_again_ends_bit_equal(alone, tmp_path):
    path = tmp_path / "net.keras"
    for rounds in (0, 1, 2):
        process = start(TRAIN, path)
        for _ in range(2 + rounds):  # devices, "first steps are being compiled", one per round
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        assert path.exists() == (rounds > 0)
    found, rest = outcome(start(TRAIN, path))
    assert found == alone
    assert rest <= 3

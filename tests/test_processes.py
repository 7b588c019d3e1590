"""Training in processes of its own: on several devices, and killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
TRAIN = """
import hashlib, json, sys
import keras, numpy as np, tensorflow as tf
devices, path = int(sys.argv[1]), sys.argv[2]
processor = tf.config.list_physical_devices("CPU")[0]
parts = [tf.config.LogicalDeviceConfiguration()] * devices
tf.config.set_logical_device_configuration(processor, parts)
from recon import datasets, models, settings, training
used = training.distribute(settings.strategy())
print(used, tf.distribute.get_strategy().num_replicas_in_sync, flush=True)
keras.utils.set_random_seed(1)
data = {"n_samples": 64, "cycles": (1, 8)}
record = training.fit(
    models.unet(stem=8, channels=(8, 12)),
    datasets.noise_reduction(32, seed=1, **data),
    datasets.take(datasets.noise_reduction(64, seed=2, **data), 64),
    steps=60, validations=6, path=path, loss=training.log_mean_squared_error,
)
weights = keras.saving.load_model(path, compile=False).get_weights()
digest = hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest()
print(json.dumps([record["loss"], record["validation_loss"], digest]))
"""


def start(path, devices=2, **environment):
    """A process that trains a small network for 60 steps."""
    environment = (
        os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"} | environment
    )
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(devices), str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment,
    )  # fmt: skip


def outcome(process):
    """(devices, losses of training and validation, digest of the weights) that it ends with, and
    the rounds that took."""
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors[-2000:]
    lines = output.splitlines()
    return (lines[0], *json.loads(lines[-1])), output.count("validation error")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process on one device, never interrupted, ends with."""
    found, rounds = outcome(start(tmp_path_factory.mktemp("alone") / "net.keras"))
    assert rounds == 6
    return found


def test_one_device_is_the_default(alone):
    assert alone[0] == "CPU:0 1"


def test_two_devices_train_the_network_that_one_does(alone, tmp_path):
    found, _ = outcome(start(tmp_path / "net.keras", RECON_STRATEGY="mirrored"))
    devices, *losses, _ = found
    assert devices == "CPU:0, CPU:1 2"
    assert losses == [pytest.approx(curve, rel=1e-5) for curve in alone[1:3]]


def test_a_run_that_is_killed_again_and_again_ends_bit_equal(alone, tmp_path):
    path = tmp_path / "net.keras"
    for rounds in (0, 1, 2):
        process = start(path)
        for _ in range(2 + rounds):  # devices, "first steps are being compiled", one per round
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        assert path.exists() == (rounds > 0)
    found, rest = outcome(start(path))
    assert found == alone
    assert rest <= 3

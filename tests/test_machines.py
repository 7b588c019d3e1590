"""Several devices and machines, under JAX: the commands and the program of docs/machines.md."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import recon

pytest.importorskip("jax")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "machines.md").read_text()
SEEN = """
import hashlib, json
digest = hashlib.sha256(b"".join(weight.tobytes() for weight in network.get_weights())).hexdigest()
print(json.dumps([record["loss"], record["validation_loss"], digest]))
"""
BATCHWISE = """
def batchwise(clean, estimate):  # one number per batch
    return keras.ops.log(keras.ops.mean((clean - estimate) ** 2))
"""


def block(title):
    """The block of code below a mark in the document."""
    return re.search(rf"<!-- {title} -->\n```\w+\n(.*?)```", TEXT, re.DOTALL).group(1)


def program():
    """The document's, looked at after every step, and with a loss that is hard to share."""
    text = block("program").replace("import keras\n", "import keras\n" + BATCHWISE)
    text = text.replace("    models.mixture(),", "    network := models.mixture(),")
    return text.replace("steps=100,", "steps=100, validations=100, loss=batchwise,") + SEEN


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")  # of what JAX has compiled


@pytest.fixture
def start(cache):
    """Starts a shell command as a process in a folder."""
    started = []

    def start(command, folder, **environment):
        environment |= {"JAX_COMPILATION_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
        environment |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PLATFORMS": "cpu"}
        environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        folder.mkdir(exist_ok=True)
        (folder / "train.py").write_text(program())
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(
            subprocess.Popen(
                f"exec env {command}", shell=True, cwd=folder, env=os.environ | environment, **pipes
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def outcome(process):
    """(line on the devices, [losses of training, of validation, digest of the weights])."""
    output, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors[-3000:]
    lines = output.splitlines()
    return next(line for line in lines if "training on" in line), json.loads(lines[-1])


def pair(start, first, second):
    """The document's two processes in their folders, on a port that is free."""
    with socket.create_server(("localhost", 0)) as server:
        port = str(server.getsockname()[1])
    commands = block("cluster commands").replace("12321", port).splitlines()
    return [start(command, at) for command, at in zip(commands, (first, second), strict=True)]


ALONE = "KERAS_BACKEND=jax python train.py"
RUNS = {}  # what was run, by name: each takes long


def run(name, start, folder):
    """What the processes of a run that nothing interrupts end with."""
    if name not in RUNS:
        devices = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
        if name == "two processes":
            processes = pair(start, folder, folder)
        else:
            processes = [start(ALONE, folder, **devices if name == "two devices" else {})]
        RUNS[name] = [outcome(process) for process in processes]
    return RUNS[name]


@pytest.mark.parametrize("name", ["two devices", "two processes"])
def test_together_they_train_the_network_that_one_trains(name, start, tmp_path):
    ((alone, expected),) = run("alone", start, tmp_path / "alone")
    assert alone == "training on CPU:0"
    for devices, found in run(name, start, tmp_path / "together"):
        assert devices == "training on 2 x CPU"
        for one, other in zip(expected[:2], found[:2], strict=True):
            assert len(other) == 100
            np.testing.assert_allclose(other, one, rtol=1e-5)
        assert found == RUNS[name][0][1]  # in every process the same, weights included


def test_a_pair_of_which_one_is_killed_goes_on_and_ends_equal(start, tmp_path):
    uninterrupted = [found for _, found in run("two processes", start, tmp_path / "whole")]
    folders = tmp_path / "first", tmp_path / "second"  # each machine has a disk of its own
    first, second = pair(start, *folders)
    while "30 of 100" not in second.stdout.readline():
        assert second.poll() is None
    second.send_signal(signal.SIGKILL)
    try:
        assert first.wait(timeout=20)  # it fails, or waits in vain
    except subprocess.TimeoutExpired:
        first.kill()
    shutil.rmtree(folders[1])  # and one of them is lost
    outputs = [process.communicate(timeout=400)[0] for process in pair(start, *folders)]
    assert [json.loads(output.splitlines()[-1]) for output in outputs] == uninterrupted
    assert all(60 <= output.count("validation error") <= 71 for output in outputs)


REFUSED = """
import keras, numpy as np
early = keras.Sequential([keras.Input((None, 1)), keras.layers.Conv1D(1, 3, padding="same")])
from recon import datasets, training
def network():
    return keras.Sequential([keras.Input((None, 1)), keras.layers.Conv1D(1, 3, padding="same")])
def fit(model=None, batch=16, validation=64):
    data = datasets.noise_reduction(batch, seed=1)
    held_out = datasets.take(datasets.noise_reduction(64, seed=2), validation)
    try:
        training.fit(model or network(), data, held_out, steps=2, path="a.keras")
    except ValueError as error:
        print(error)
fit(early)
fit(batch=17)
fit(validation=63)
"""


def test_what_devices_cannot_share_is_refused_in_one_line(start, tmp_path):
    flags = "XLA_FLAGS=--xla_force_host_platform_device_count=2"
    (tmp_path / "refused.py").write_text(REFUSED)
    process = start(f"KERAS_BACKEND=jax {flags} python refused.py", tmp_path)
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors[-3000:]
    early, batch, validation = output.splitlines()
    assert re.fullmatch("model must be made after .* 2 devices, got one on 1", early)
    assert re.fullmatch("train must .* 2 devices .*, got 17 of them", batch)
    assert re.fullmatch("validation must .* 2 devices .*, got 63 of them", validation)


def test_jax_restores_as_tensorflow_does(start, tmp_path):
    noisy = ROOT / "docs" / "sounds" / "noisy.flac"
    command = f"KERAS_BACKEND=jax python -m recon restore {noisy} restored.wav --float"
    output, errors = start(command, tmp_path).communicate(timeout=400)
    assert "restored.wav" in output, errors[-3000:]
    recon.restore_file(noisy, tmp_path / "other.wav", subtype="FLOAT")
    found, expected = (
        soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("restored", "other")
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)

"""Two processes under JAX train what one trains: the commands and the program of the docs."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "machines.md").read_text()
LOSS = """
import keras

def batchwise(clean, estimate):  # one number per batch, which is hard to share
    return keras.ops.log(keras.ops.mean((clean - estimate) ** 2))
"""
RESULT = """
import hashlib, json
digest = hashlib.sha256(b"".join(weight.tobytes() for weight in network.get_weights())).hexdigest()
devices = len(keras.distribution.list_devices())
print(json.dumps([devices, record["loss"], record["validation_loss"], digest]))
"""


def block(title):
    """The block of code below a mark in the document."""
    return re.search(rf"<!-- {title} -->\n```\w+\n(.*?)```", TEXT, re.DOTALL).group(1)


def start(command, folder, together=True):
    """A process that runs the document's program in a folder, under another loss."""
    program = block("program").replace("models.mixture(),", "network := models.mixture(),")
    program = program.replace("steps=100,", "steps=20, validations=4, loss=batchwise,")
    if not together:
        program = program.replace("training.distribute()\n", "")
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(LOSS + program + RESULT)
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "JAX_PLATFORMS": "cpu"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.Popen(
        f"exec env {command}",
        shell=True,
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process):
    """[devices, losses of training, losses of validation, digest of the weights]."""
    try:
        output, errors = process.communicate(timeout=200)
    finally:
        process.kill()
    assert process.returncode == 0, errors[-3000:]
    return json.loads(output.splitlines()[-1])


def test_two_processes_train_what_one_trains(tmp_path):
    with socket.create_server(("localhost", 0)) as server:
        port = str(server.getsockname()[1])
    commands = block("cluster commands").replace("12321", port).splitlines()
    pair = [start(command, tmp_path / f"{n}") for n, command in enumerate(commands)]
    two, other = map(outcome, pair)
    one = outcome(start("KERAS_BACKEND=jax python train.py", tmp_path / "alone", together=False))
    assert (one[0], two[0]) == (1, 2)
    assert two == other  # weights included
    for alone, together in zip(one[1:3], two[1:3], strict=True):
        assert len(alone) == 4
        np.testing.assert_allclose(together, alone, rtol=1e-5)

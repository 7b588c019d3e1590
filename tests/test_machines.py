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
PROGRAM, COMMANDS = (
    re.search(rf"<!-- {title} -->\n```\w+\n(.*?)```", TEXT, re.DOTALL).group(1)
    for title in ("program", "cluster commands")
)
LOSS = """
import keras
def batchwise(clean, estimate):  # one number per batch, which is hard to share
    return keras.ops.log(keras.ops.mean((clean - estimate) ** 2))
"""
RESULT = """
import json
devices = len(keras.distribution.list_devices())
weights = [weights.tolist() for weights in network.get_weights()]
with open("result.json", "w") as file:
    json.dump([devices, record["loss"], record["validation_loss"], weights], file)
"""


def start(command, folder, program):
    """A process that runs the document's program in a folder, under another loss."""
    program = program.replace("models.mixture(),", "network := models.mixture(),")
    program = program.replace("steps=100,", "steps=20, validations=4, loss=batchwise,")
    folder.mkdir()
    (folder / "train.py").write_text(LOSS + program + RESULT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = f"exec env JAX_PLATFORMS=cpu {command}"
    return subprocess.Popen(command, shell=True, cwd=folder, env=environment)


def test_two_processes_train_what_one_trains(tmp_path):
    with socket.create_server(("localhost", 0)) as server:
        port = str(server.getsockname()[1])
    alone = PROGRAM.replace("training.distribute()\n", "")
    processes = [start("KERAS_BACKEND=jax python train.py", tmp_path / "alone", alone)]
    for command in COMMANDS.replace("12321", port).splitlines():
        processes.append(start(command, tmp_path / f"{len(processes)}", PROGRAM))
    try:
        assert [process.wait(timeout=200) for process in processes] == [0, 0, 0]
    finally:
        for process in processes:
            process.kill()
    one, two, other = (
        json.loads((tmp_path / name / "result.json").read_text()) for name in ("alone", "1", "2")
    )
    assert (one[0], two[0], len(one[1])) == (1, 2, 4)
    assert two == other  # weights included
    np.testing.assert_allclose(two[1:3], one[1:3], rtol=1e-5)

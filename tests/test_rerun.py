"""Every number of a description changed, other recordings, any cell again, from anywhere.

A file of its own, as it takes long.
"""

import ast
import re

import nbclient
import nbformat
import numpy as np
import pytest
import soundfile
from test_notebooks import ROOT, assert_figures_are_shown, cells

CHANGED = {
    "NoiseReduction": {
        "SIGNAL": {"n_samples": 512, "cycles": (1, 20), "amplitude": (0.1, 2), "phase": (0, 1)},
        "DAMAGE": {"stddev": (0.02, 0.3), "impulse_rate": (0.01, 0.03), "impulse_amplitude": 1},
    },
    "InverseQuantization": {
        "SIGNAL": {"n_samples": 120, "cycles": (2, 8), "amplitude": (0.1, 2), "phase": (0, 6)},
        "DAMAGE": {"hold_length": 6},
    },
}


@pytest.fixture
def recordings(tmp_path):
    """Recordings of two rates and channel counts, and three files that are none."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    sounds = np.random.default_rng(1).standard_normal((9, 5_000, 2)).cumsum(axis=1) / 200
    for i, sound in enumerate(sounds):
        samples, rate = (sound, 44_100) if i > 6 else (sound[:, 0], 16_000)
        soundfile.write(folder / f"{i}.wav", samples, rate)
    soundfile.write(folder / "silent.wav", np.zeros(2_000), 16_000)
    (folder / "cut.wav").write_bytes((folder / "0.wav").read_bytes()[:3_000])
    (folder / "z notes.txt").write_text("not audio")  # the last name: voices are the last that ship
    return folder


def changed(source, numbers):
    """A cell's Python with other values for some of the names that it binds."""
    tree = ast.parse(source)
    for node in tree.body:
        name = ast.unparse(node.targets[0]) if isinstance(node, ast.Assign) else ""
        if name in numbers:
            node.value = ast.parse(repr(numbers[name])).body[0].value
    return ast.unparse(tree)


def printed(cell):
    """What a cell shows that does not depend on the clock: tables and lines."""
    text = "".join(x.get("text", x.get("data", {}).get("text/markdown", "")) for x in cell.outputs)
    text = re.sub(r".*per second.*", "", text)
    # What is below a millionth is rounding, and threads add up in any order.
    return re.sub(r"\d\.?\d*e[−-](0[7-9]|1\d)", "rounding", text)


def run_again(name, recordings, monkeypatch, tmp_path):
    """All cells with other numbers, then all in reverse order, which show the same."""
    monkeypatch.setenv("RECON_RECORDINGS", str(recordings))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # Jupyter's own closes what it has shown
    sources = [cell.source for cell in cells(name)]
    (place,) = (i for i, source in enumerate(sources) if source.startswith("SIGNAL = {"))
    sources[place] = changed(sources[place], CHANGED[name])
    sources = [source.replace("-n 100 -r 3", "-n 3 -r 1") for source in sources]  # %timeit
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (*sources, *reversed(sources))]
    )
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, resources=resources, timeout=300).execute()
    text = "".join(map(printed, notebook.cells))
    assert f", {CHANGED[name]['SIGNAL']['n_samples']}, 1)" in text
    assert "holds: " in text
    for file in ("silent.wav", "cut.wav", "z notes.txt"):
        assert re.search(f"skipped: .*{file}", text)
    assert re.search(r"restored.wav: \d+\.\d s restored", text)
    for once, again in zip(notebook.cells[: len(sources)], notebook.cells[::-1], strict=False):
        assert printed(once) == printed(again), once.source
        assert_figures_are_shown(once)
        assert_figures_are_shown(again)


@pytest.mark.slow
def test_noise_reduction_runs_again(recordings, monkeypatch, tmp_path):
    run_again("NoiseReduction", recordings, monkeypatch, tmp_path)

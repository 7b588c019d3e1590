"""Every number changed, other recordings, any cell again, from anywhere: a file of its own, as it
takes long."""

import re

import nbclient
import nbformat
import numpy as np
import pytest
import soundfile
from test_notebooks import NOTEBOOKS, ROOT, notebooks, shows_its_figures

CHANGED = {
    "NoiseReduction": """
SIGNAL = {"n_samples": 512, "cycles": (1, 20), "amplitude": (0.1, 2.0), "phase": (0.0, 1.0)}
DAMAGE = {"stddev": (0.02, 0.3), "impulse_rate": (0.01, 0.03), "impulse_amplitude": 1.0}
""",
    "InverseQuantization": """
SIGNAL = {"n_samples": 120, "cycles": (2, 8), "amplitude": (0.1, 2.0), "phase": (0.0, 6.0)}
DAMAGE = {"hold_length": 6}
""",
}

UNUSABLE = {"silent": "not be silent", "corrupt": "be complete", "notes": "be a file"}


@pytest.fixture
def folder_of_anything(tmp_path):
    """Recordings of two rates and channel counts, and four files that are of no use."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    seconds = np.random.default_rng(1).standard_normal((9, 6_000, 2)).cumsum(axis=1) / 200
    for i, noise in enumerate(seconds[:7]):
        soundfile.write(folder / f"mono {i}.wav", noise[:3_000, 0], 16_000)
    for i, noise in enumerate(seconds[7:]):
        soundfile.write(folder / f"stereo {i}.flac", noise, 44_100)
    soundfile.write(folder / "short.wav", noise[:50, 0], 16_000)
    soundfile.write(folder / "silent.wav", np.zeros(2_000), 16_000)
    whole = (folder / "mono 0.wav").read_bytes()
    (folder / "corrupt.wav").write_bytes(whole[: len(whole) // 2])
    (folder / "z notes.txt").write_text("not audio")  # the last name, of what is played with first
    return folder


def executed(cells, folder):
    """The cells after a run, and all that they printed."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.from_dict(cell | {"id": f"{i}"}) for i, cell in enumerate(cells)]
    )
    client = nbclient.NotebookClient(
        notebook, kernel_name="python3", resources={"metadata": {"path": str(folder)}}, timeout=300
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return notebook.cells, "".join(output.get("text", "") for output in outputs)


def lasting(cell):
    """What a cell shows that does not depend on the clock: tables and lines."""
    shown = [
        output.get("text", "") + "".join(output.get("data", {}).get("text/markdown", ""))
        for output in cell.outputs
    ]
    lines = [line for line in "".join(shown).splitlines() if "per second" not in line]
    # What is below a millionth is rounding, and threads add up in any order.
    return [re.sub(r"\d\.?\d*e[−-](0[7-9]|1\d)", "rounding", line) for line in lines]


@pytest.mark.slow
@notebooks
def test_numbers_and_recordings_can_be_changed_and_cells_run_again_in_any_order_and_from_anywhere(
    name, folder_of_anything, monkeypatch, tmp_path
):
    monkeypatch.setenv("RECON_RECORDINGS", str(folder_of_anything))
    monkeypatch.delenv("RECON_STRICT", raising=False)  # another experiment may disprove a claim
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # Jupyter's own closes what it has shown
    cells = [cell.copy() for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]
    (place,) = (i for i, cell in enumerate(cells) if cell.source.startswith("SIGNAL = {"))
    cells[place].source = CHANGED[name]
    cells, said = executed([*cells, *reversed(cells)], tmp_path)
    samples = re.search(r"\"n_samples\": (\d+)", CHANGED[name])[1]
    assert f"(64, {samples}, 1)" in said  # the data follow
    claims = [line for line in said.splitlines() if "holds" in line.lower()]
    assert "holds" in claims[0]  # and the theory of the damage
    assert len(claims) > 10
    assert sum(claim.startswith("holds: the exact result") for claim in claims) == 2
    assert said.count("converted from 44100 to 16000 Hz") == 2 * 2  # files, in both runs
    for file, why in UNUSABLE.items():
        assert re.search(f"skipped: input must {why}.*{file}", said), file
    assert re.search(r"restored.wav: \d+\.\d s restored", said)
    half = len(cells) // 2
    for once, again in zip(cells[:half], reversed(cells[half:]), strict=True):
        assert lasting(once) == lasting(again), once.source
        assert shows_its_figures(once), once.source
        assert shows_its_figures(again), once.source

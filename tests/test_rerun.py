"""Every number changed, then any cell again, from anywhere; a file of its own, as it takes long."""

import re

import pytest
from test_notebooks import NOTEBOOKS, ROOT, executed, notebooks, shows_its_figures

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
def test_numbers_can_be_changed_and_cells_run_again_in_any_order_and_from_anywhere(
    name, monkeypatch, tmp_path
):
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
    half = len(cells) // 2
    for once, again in zip(cells[:half], reversed(cells[half:]), strict=True):
        assert lasting(once) == lasting(again), once.source
        assert shows_its_figures(once), once.source
        assert shows_its_figures(again), once.source

"""Any cell again, in any order, from anywhere; a file of its own, as it takes long."""

import pytest
from test_notebooks import NOTEBOOKS, ROOT, executed, notebooks


def lasting(cell):
    """What a cell shows that does not depend on the clock: tables and lines."""
    shown = [
        output.get("text", "") + "".join(output.get("data", {}).get("text/markdown", ""))
        for output in cell.outputs
    ]
    return [line for line in "".join(shown).splitlines() if "per second" not in line]


@pytest.mark.slow
@notebooks
def test_every_cell_can_be_run_again_in_any_order_and_from_anywhere(name, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # Jupyter's own closes what it has shown
    cells = [cell.copy() for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]
    cells, _ = executed([*cells, *reversed(cells)], tmp_path)
    half = len(cells) // 2
    for once, again in zip(cells[:half], reversed(cells[half:]), strict=True):
        assert lasting(once) == lasting(again), once.source

"""The notebooks as documents: their form, their record, and the numbers that are quoted.

That every cell runs is nbval's part, in the quick profile.
"""

import ast
import graphlib
import os
import re

import nbclient
import nbformat
import numpy as np
import pytest
import record
import soundfile

from recon import datasets, signals

ROOT = record.ROOT
NOTEBOOKS = {path.stem: nbformat.read(path, 4) for path in sorted(ROOT.glob("*.ipynb"))}
notebooks = pytest.mark.parametrize("name", NOTEBOOKS)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HEADINGS = [
    "Setup",
    "The signal and the damage",
    "The data",
    "Without learning",
    "The networks",
    "Training",
    "Results",
    "Where it fails",
    "Sequential frames",
    "Real recordings",
    "Conclusions",
]


def sources(name, kind):
    return [cell.source for cell in NOTEBOOKS[name].cells if cell.cell_type == kind]


def python(source):
    """The cell's Python, without IPython's % lines."""
    return ast.parse(re.sub(r"%timeit.*|^%.*$", "None", source, flags=re.MULTILINE))


def test_the_notebooks_are_the_two_experiments():
    assert set(NOTEBOOKS) == set(record.NOTEBOOKS)


@notebooks
def test_headings_are_those_of_every_experiment_in_order(name):
    found = [
        line.removeprefix("## ")
        for source in sources(name, "markdown")
        for line in source.splitlines()
        if line.startswith("## ")
    ]
    assert found == [f"{i}. {heading}" for i, heading in enumerate(HEADINGS, 1)]


@notebooks
def test_what_is_drawn_is_described_once(name):
    """No number of SIGNAL or DAMAGE stands in a keyword or an entry of that name anywhere else."""
    values = {}
    for node in (node for source in sources(name, "code") for node in ast.walk(python(source))):
        if isinstance(node, ast.keyword):
            values.setdefault(node.arg, []).append(node.value)
        elif isinstance(node, ast.Dict) and "logarithmic" not in ast.unparse(node):  # recordings'
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant):
                    values.setdefault(key.value, []).append(value)
    described = (
        datasets.noise_reduction if name == "NoiseReduction" else datasets.inverse_quantization
    )
    for argument in set(described.__kwdefaults__) - {"seed"}:
        given = [ast.unparse(value) for value in values[argument]]
        assert given.count(given[0]) == 1, f"{argument}: {given}"


@notebooks
def test_a_claim_stops_a_run_only_where_it_is_asked_to(name, monkeypatch, capsys):
    (source,) = (s for s in sources(name, "code") if "def claim" in s)
    (function,) = (node for node in python(source).body if isinstance(node, ast.FunctionDef))
    space = {"os": os}
    exec(ast.unparse(function), space)
    monkeypatch.setenv("RECON_STRICT", "1")
    space["claim"]("1 < 2", True)
    with pytest.raises(AssertionError, match="2 < 1"):
        space["claim"]("2 < 1", False)
    monkeypatch.delenv("RECON_STRICT")
    space["claim"]("2 < 1", False)
    assert capsys.readouterr().out.splitlines()[-1] == "DOES NOT HOLD: 2 < 1"
    code = [node for s in sources(name, "code") for node in ast.walk(python(s))]
    assert not any(isinstance(node, ast.Assert) for node in code)


def test_the_notebooks_write_no_file_of_the_same_name():
    written = [
        {word for source in sources(name, "code") for word in re.findall(r"runs/[^\s\"']+", source)}
        for name in NOTEBOOKS
    ]
    assert all(written)
    assert not set.intersection(*written)


@notebooks
def test_the_committed_outputs_are_one_clean_run(name):
    cells = [cell for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output
    assert (ROOT / f"{name}.ipynb").stat().st_size < 2e6


@notebooks
def test_the_code_is_the_code_whose_run_was_recorded(name):
    recorded = record.load()[record.NOTEBOOKS[name]]
    assert recorded["code"] == record.code_hash(NOTEBOOKS[name]), (
        f"{name}.ipynb: its code changed after the recorded run; run tests/record.py"
    )
    assert recorded["results"]["profile"] == "full"
    assert recorded["minutes"] <= 20  # 15 without recordings


@pytest.fixture
def folder_of_anything(tmp_path):
    """Recordings of two rates and channel counts, and four files that are of no use."""
    for i, notes in enumerate(signals.notes(7, 2_000, 16_000, (1, 2)).numpy()):
        soundfile.write(tmp_path / f"note {i}.wav", notes, 16_000)
    for i, notes in enumerate(signals.notes(2, 6_000, 44_100, (3, 4)).numpy()):
        stereo = np.stack([notes, 0.5 * notes], axis=1)
        soundfile.write(tmp_path / f"stereo {i}.flac", stereo, 44_100)
    soundfile.write(tmp_path / "short.wav", notes[:50], 16_000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(2_000), 16_000)
    whole = (tmp_path / "note 0.wav").read_bytes()
    (tmp_path / "corrupt.wav").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "notes.txt").write_text("not audio")
    return tmp_path


FEWER = "CROPS, CROP_STEPS, LONG_FILES, XLA = 8, 4, 1, False"


@pytest.mark.slow
@notebooks
def test_sections_9_and_10_take_a_folder_of_anything_and_say_what_they_did(
    name, folder_of_anything, monkeypatch
):
    monkeypatch.setenv("RECON_RECORDINGS", str(folder_of_anything))
    monkeypatch.setenv("RECON_PROFILE", "quick")
    chosen, section = nbformat.v4.new_notebook(), 0
    for cell in NOTEBOOKS[name].cells:
        headings = re.findall(r"^## (\d+)", cell.source, flags=re.MULTILINE)
        if cell.cell_type == "markdown":
            section = int(headings[-1]) if headings else section
        elif section in (1, 9, 10):
            if section == 9 and "LONG_FILES =" in chosen.cells[-1].source:
                chosen.cells.append(nbformat.v4.new_code_cell(FEWER))
            chosen.cells.append(cell.copy())
        elif cell.source.startswith("LOG = "):  # the one name of section 6 that section 10 uses
            chosen.cells.append(nbformat.v4.new_code_cell(cell.source.splitlines()[0]))
    nbclient.NotebookClient(
        chosen, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}, timeout=300
    ).execute()
    said = "".join(
        output.get("text", "") for cell in chosen.cells for output in cell.get("outputs", [])
    )
    assert said.count("converted from 44100 to 16000 Hz") == 2
    for file, why in {
        "silent": "not be silent",
        "corrupt": "be complete",
        "notes": "be a file",
    }.items():
        assert re.search(f"skipped: input must {why}.*{file}", said), file
    assert "shorter than a crop, so followed by silence: 1 short.wav" in said
    assert re.search(r"restored.wav: \d+\.\d s restored", said)


OTHER_UNITS = re.compile(
    "mse|mse_spread|seconds?|steps?|parameters|seeds|corpus|files|by_distance|difference"
    "|seam_ratio|lsd_below|lsd_above|per_second|spread"
)


def numbers(value):
    """Every number in a record that may be in dB or minutes, all the way down."""
    if isinstance(value, dict):
        goals = [float(goal[1]) for key in value if (goal := re.match(r"([\d.]+) dB", key))]
        kept = (item for key, item in value.items() if not OTHER_UNITS.fullmatch(key))
        return goals + [number for item in kept for number in numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value] if isinstance(value, int | float) else []


def quoted(text):
    """Measured numbers in a text: those with a unit of dB or minutes, and dB columns' cells."""
    found = re.findall(r"([+−-]?\d[\d,]*\.?\d*)\*{0,2} (?:dB|minutes)", text)
    heading = None
    for line in text.splitlines():
        cells = (
            [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        )
        if cells and heading is None:
            heading = cells
        elif not cells:
            heading = None
        else:
            for title, cell in zip(heading, cells, strict=True):
                if "dB" in title or "dB" in cells[0]:
                    found += re.findall(r"^[+−-]?\d+\.\d+", cell)
    return found


def is_recorded(number, known):
    digits = number.replace("−", "-").replace(",", "").lstrip("+")
    places = len(digits.partition(".")[2])
    size = float if digits.startswith("-") else abs  # "14.4 dB less" may be a gain of -14.4
    return any(round(size(value), places) == float(digits) for value in known)


def test_every_number_that_a_text_quotes_stands_in_a_record():
    records = record.load()
    texts = {path.name: (path.read_text(), records) for path in PAGES}
    for name, own in record.NOTEBOOKS.items():
        kept = {own: records[own]}
        texts[name] = "\n\n".join(sources(name, "markdown")), kept
        known = numbers(kept)
        assert sum(is_recorded(f"{x / 100}", known) for x in range(3000)) < 600  # it can tell
    missing = {
        f"{name}: {number}"
        for name, (text, kept) in texts.items()
        for number in quoted(text)
        if not is_recorded(number, numbers(kept))
    }
    assert not missing


def test_a_number_that_no_record_holds_is_found():
    assert quoted("it gains **12.34 dB** in 7 minutes") == ["12.34", "7"]
    assert quoted("| m | gain, dB |\n|---|---:|\n| a | −3.25 |") == ["−3.25"]
    assert is_recorded("12.3", [12.345])
    assert is_recorded("−3.25", [-3.2513])
    assert not is_recorded("−3.25", [3.2513])
    assert not is_recorded("12.4", [12.345])


def test_the_readmes_table_is_made_from_the_records():
    assert record.readme_table() in (ROOT / "README.md").read_text()


def test_the_recorded_networks_reach_what_the_project_promises():
    noise, hold = (record.load()[name]["results"] for name in record.NOTEBOOKS.values())
    assert noise["networks"]["unrolled"]["to_limit_db"] < 0.1
    assert noise["networks"]["encoder-decoder"]["gain_db"] > 10
    assert noise["networks"]["U-Net"]["gain_db"] > 18
    assert abs(hold["networks"]["mixture"]["to_limit_db"]) < 0.1
    assert min(x for c, x in enumerate(hold["by_cycles"]["mixture"], 1) if c != 5) > 60
    assert min(hold["any_phase"]["mixture"]) > 60
    assert hold["any_hold"]["snr_db"] > 40
    for results, ahead_db in ((noise, 7), (hold, 2.5)):
        files = {name: row["snr_db"] for name, row in results["recordings"].items()}
        classical = [snr for name, snr in files.items() if name not in record.LEARNT]
        assert min(files[name] for name in record.LEARNT) > max(classical) + ahead_db
        frames = results["frames"]
        assert abs(frames["exact"]["seam_ratio"] - 1) < 0.02
        assert frames["exact"]["difference"] < 1e-6
        assert frames["frame by frame"]["difference"] > 1e-3


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_modules_import_one_way():
    """Late imports, within functions, count too; `import recon` is the front door, __init__."""
    imports = {path.stem: set() for path in (ROOT / "recon").glob("*.py")}
    for name, found in imports.items():
        for node in ast.walk(ast.parse((ROOT / "recon" / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "recon":
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Import) and any(a.name == "recon" for a in node.names):
                found.add("__init__")
        assert found <= set(imports), name
    graphlib.TopologicalSorter(imports).prepare()  # raises where there is a circle

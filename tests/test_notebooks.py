"""The notebooks as documents: their form, their record, and the numbers that are quoted.

That every cell runs is nbval's part, in the quick profile.
"""

import ast
import graphlib
import re
from collections import Counter

import nbformat
import pytest
import record
from record import ROOT

NOTEBOOKS = {name: nbformat.read(ROOT / f"{name}.ipynb", 4) for name in record.NOTEBOOKS}
PAGES = {path: path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
HEADINGS = "Setup, The signal and the damage, The data, Without learning, The networks, Training, "
HEADINGS += "Results, Where it fails, Sequential frames, Real recordings, Conclusions"
notebooks = pytest.mark.parametrize("name", NOTEBOOKS)


def cells(name, kind="code"):
    return [cell for cell in NOTEBOOKS[name].cells if cell.cell_type == kind]


def prose(name):
    return "\n\n".join(cell.source for cell in cells(name, "markdown"))


def test_the_notebooks_are_the_two_experiments():
    assert {path.stem for path in ROOT.glob("*.ipynb")} == set(NOTEBOOKS)


@notebooks
def test_the_headings_are_those_of_every_experiment(name):
    expected = [f"{i}. {heading}" for i, heading in enumerate(HEADINGS.split(", "), 1)]
    assert re.findall(r"^## (.+)", prose(name), re.MULTILINE) == expected


@notebooks
def test_a_name_is_bound_in_one_cell(name):
    """So that any cell can be run again, in any order."""
    bound = Counter()
    for cell in cells(name):
        body = record.python(cell.source).body
        names = {node.name for node in body if isinstance(node, ast.FunctionDef)}
        targets = [x for node in body if isinstance(node, ast.Assign) for x in node.targets]
        parts = [x for target in targets for x in ast.walk(target)]
        stored = [x for x in parts if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)]
        bound.update(names | {x.id for x in stored})
    assert [each for each, count in bound.items() if count > 1] == []


@notebooks
def test_nothing_stops_because_a_result_is_worse(name):
    code = [node for cell in cells(name) for node in ast.walk(record.python(cell.source))]
    assert not any(isinstance(node, ast.Assert | ast.Raise) for node in code)


def assert_figures_are_shown(cell):
    shown = any("image/png" in output.get("data", {}) for output in cell.outputs)
    assert shown or not re.search(r"plotting\.(?!style)", cell.source), cell.source


@notebooks
def test_the_committed_outputs_are_one_clean_run(name):
    assert [cell.execution_count for cell in cells(name)] == [*range(1, len(cells(name)) + 1)]
    for cell in cells(name):
        assert_figures_are_shown(cell)
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
            assert "DOES NOT HOLD" not in output.get("text", "")
    assert (ROOT / f"{name}.ipynb").stat().st_size < 3.5e6


@notebooks
def test_the_code_is_that_whose_run_was_recorded(name):
    recorded = record.load()[record.NOTEBOOKS[name]]
    assert recorded["code"] == record.code_hash(NOTEBOOKS[name]), "run tests/record.py"
    assert recorded["results"]["profile"] == "full"
    assert recorded["minutes"] <= 15


def numbers(value):
    """Every number in a record, all the way down."""
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return [number for item in items for number in numbers(item)]
    return [value] if isinstance(value, int | float) else []


def quoted(text):
    """Measured numbers in a text: those of dB or minutes, and decimals in tables with dB."""
    tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    measured = "\n".join(table for table in tables if "dB" in table)
    decimals = re.findall(r"(?<![\w.])[+−-]?\d+\.\d+(?! kHz)", measured)
    return decimals + re.findall(r"([+−-]?\d[\d,]*\.?\d*)\*{0,2} (?:dB|minutes)", text)


def is_recorded(text, known):
    number = text.replace("−", "-").replace(",", "").lstrip("+")
    places = len(number.partition(".")[2])
    size = float if number.startswith("-") else abs  # "14.4 dB less" may be a gain of -14.4
    return any(round(size(value), places) == float(number) for value in known)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_numbers_quoted_in_pages_stand_in_a_record(path):
    known = numbers(record.load())
    assert [text for text in quoted(PAGES[path]) if not is_recorded(text, known)] == []


@notebooks
def test_numbers_in_a_notebook_come_from_its_record(name):
    first, answer = NOTEBOOKS[name].cells[0].source, record.answer(name)
    assert first == record.filled(first, "answer", answer)
    assert quoted(prose(name).replace(answer, "")) == []


def test_a_number_that_no_record_holds_is_found():
    assert quoted("| m | gain, dB |\n|--|--:|\n| a | −3.25 (b) |\n\nin 7 minutes") == ["−3.25", "7"]
    assert is_recorded("−3.25", [-3.2513])
    assert not is_recorded("−3.25", [3.2513])
    assert not is_recorded("12.4", [12.345])


def test_the_readmes_tables_are_made_from_the_records():
    text = PAGES[ROOT / "README.md"]
    assert text == record.filled(text, "results", record.readme_table())
    assert text == record.filled(text, "minutes", record.minutes())


def test_the_networks_that_ship_lead():
    """What the others reach is claimed in the notebooks, whose outputs are looked at above."""
    for name, lead_db in (("noise_reduction", 5), ("inverse_quantization", 1)):
        rows = record.load()[name]["results"]["recordings"]
        assert rows[record.SHIPS]["snr_db"] > record.best(rows, "snr_db")[1] + lead_db


def test_links_lead_somewhere():
    texts = PAGES | {ROOT / name: prose(name) for name in NOTEBOOKS}
    for page, text in texts.items():
        for target in re.findall(r"\]\((?!http)([^)#]+)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_modules_import_one_way():
    """Also late imports, within functions; `import recon` is the front door, __init__."""
    imports = {path.stem: set() for path in (ROOT / "recon").glob("*.py")}
    for name, imported in imports.items():
        for node in ast.walk(ast.parse((ROOT / "recon" / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "recon":
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Import) and any(x.name == "recon" for x in node.names):
                imported.add("__init__")
        assert imported <= set(imports) - {"__main__"}, name
    graphlib.TopologicalSorter(imports).prepare()  # raises where there is a circle

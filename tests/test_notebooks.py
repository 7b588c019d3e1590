"""The notebooks as documents: their form, their record, and the numbers that are quoted.

That every cell runs is nbval's part, in the quick profile.
"""

import ast
import graphlib
import re

import nbformat
import pytest
import record

from recon import datasets

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


def arguments(source):
    """{name: [values]} of keywords and entries, but of sliders' and of the recordings' damage."""
    values = {}
    for node in ast.walk(record.python(source)):
        if isinstance(node, ast.keyword):
            values.setdefault(node.arg, []).append(node.value)
        elif isinstance(node, ast.Dict) and "logarithmic" not in ast.unparse(node):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant):
                    values.setdefault(key.value, []).append(value)
    return values


@notebooks
def test_what_is_drawn_is_described_once(name):
    """No number of SIGNAL or DAMAGE stands in a keyword or an entry of that name anywhere else."""
    values = {}
    for source in sources(name, "code"):
        if "play.sliders" not in source:
            for key, found in arguments(source).items():
                values.setdefault(key, []).extend(found)
    described = (
        datasets.noise_reduction if name == "NoiseReduction" else datasets.inverse_quantization
    )
    for argument in set(described.__kwdefaults__) - {"seed"}:
        given = [ast.unparse(value) for value in values[argument]]
        assert given.count(given[0]) == 1, f"{argument}: {given}"


def stored(node):
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def names_of(tree):
    """(bound, used): names that a cell binds at its top level, and those that it does not bind."""
    inner, bound = set(), {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.comprehension):
            inner |= stored(node.target)
        elif isinstance(node, ast.FunctionDef):
            inner |= stored(node) | {
                argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)
            }
    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef):
            bound |= stored(statement) - inner
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return bound, used - bound - inner


@notebooks
def test_a_name_that_another_cell_uses_is_bound_in_one(name):
    """So that any cell can be run again, in any order. A loop's variable is its cell's own."""
    cells = [names_of(record.python(source)) for source in sources(name, "code")]
    for one in set().union(*(bound for bound, _ in cells)):
        binding = [i for i, (bound, _) in enumerate(cells) if one in bound]
        using = [i for i, (_, used) in enumerate(cells) if one in used]
        assert len(binding) == 1 or not using, f"{one}: bound in cells {binding}, used in {using}"


@notebooks
def test_nothing_stops_because_a_result_is_worse(name):
    code = [node for s in sources(name, "code") for node in ast.walk(record.python(s))]
    assert not any(isinstance(node, ast.Assert | ast.Raise) for node in code)


def test_the_notebooks_write_no_file_of_the_same_name():
    written = [
        {word for source in sources(name, "code") for word in re.findall(r"runs/[^\s\"']+", source)}
        for name in NOTEBOOKS
    ]
    assert all(written)
    assert not set.intersection(*written)


def shows_its_figures(cell):
    draws = re.search(r"plotting\.(?!style)", cell.source)
    return not draws or any("image/png" in output.get("data", {}) for output in cell.outputs)


@notebooks
def test_the_committed_outputs_are_one_clean_run(name):
    cells = [cell for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output
        assert shows_its_figures(cell), cell.source
    assert (ROOT / f"{name}.ipynb").stat().st_size < 3.5e6


@notebooks
def test_the_code_is_the_code_whose_run_was_recorded(name):
    recorded = record.load()[record.NOTEBOOKS[name]]
    assert recorded["code"] == record.code_hash(NOTEBOOKS[name]), (
        f"{name}.ipynb: its code changed after the recorded run; run tests/record.py"
    )
    assert recorded["results"]["profile"] == "full"
    assert recorded["minutes"] <= 15


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


def test_every_number_that_a_page_quotes_stands_in_a_record():
    known = numbers(record.load())
    missing = {
        f"{path.name}: {number}"
        for path in PAGES
        for number in quoted(path.read_text())
        if not is_recorded(number, known)
    }
    assert not missing


@notebooks
def test_a_notebooks_measured_numbers_come_from_its_cells_or_its_record(name):
    first = NOTEBOOKS[name].cells[0].source
    assert first == record.filled(first, "answer", record.answer(name))
    prose = "\n\n".join(sources(name, "markdown")).replace(record.answer(name), "")
    assert quoted(prose) == []


def test_a_number_that_no_record_holds_is_found():
    assert quoted("it gains **12.34 dB** in 7 minutes") == ["12.34", "7"]
    assert quoted("| m | gain, dB |\n|---|---:|\n| a | −3.25 |") == ["−3.25"]
    assert is_recorded("12.3", [12.345])
    assert is_recorded("−3.25", [-3.2513])
    assert not is_recorded("−3.25", [3.2513])
    assert not is_recorded("12.4", [12.345])


def test_the_readmes_table_is_made_from_the_records():
    text = (ROOT / "README.md").read_text()
    assert text == record.filled(text, "results", record.readme_table())
    assert text == record.filled(text, "minutes", record.minutes())


def test_the_recorded_networks_reach_what_the_project_promises():
    noise, hold = (record.load()[name]["results"] for name in record.NOTEBOOKS.values())
    assert noise["networks"]["unrolled"]["to_limit_db"] < 0.1
    assert noise["networks"]["encoder-decoder"]["gain_db"] > 10
    assert noise["networks"]["U-Net"]["gain_db"] > 18
    assert abs(hold["networks"]["mixture"]["to_limit_db"]) < 0.1
    reached = hold["networks"]["mixture"]["by_cycles"]
    assert min(snr for cycles, snr in enumerate(reached, 1) if cycles != 5) > 60
    assert min(hold["any_phase"]["mixture"]) > 60
    assert hold["any_hold"]["snr_db"] > 40
    files = {name: row["snr_db"] for name, row in noise["recordings"].items()}
    assert files[record.SHIPS] > record.best(noise["recordings"], "snr_db")[1] + 5
    for results in (noise, hold):
        frames = results["frames"]
        # Not quite 1: a network of strides errs by where in its own stride a sample lies.
        seams = {name: abs(row["seam_ratio"] - 1) for name, row in frames.items()}
        assert seams["exact"] < min(seams["overlap-add"], 0.05 * seams["frame by frame"])
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

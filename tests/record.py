"""Execute the notebooks in the full profile and record what they measured.

    python tests/record.py [NOTEBOOK ...]

Writes the executed notebooks in place, docs/results/<notebook>.json for each, the results table and
the figure of the README, and the best network of each in recon/weights with a card. This is the run
whose numbers the project quotes; a reader's own run of the notebooks writes none of it.
"""

import ast
import base64
import hashlib
import json
import os
import re
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

import nbclient
import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import recon  # noqa: E402

RESULTS = ROOT / "docs" / "results"
WEIGHTS = ROOT / "recon" / "weights"
NOTEBOOKS = {"NoiseReduction": "noise_reduction", "InverseQuantization": "inverse_quantization"}
BEST = {
    "noise_reduction": "runs/noise_unrolled_1.keras",
    "inverse_quantization": "runs/hold_mixture_1.keras",
}
PURPOSE = {
    "noise_reduction": "sinusoids in hiss and impulses",
    "inverse_quantization": "sinusoids of known phase, held for 10 samples",
}
PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "matplotlib")
SHAPES, SHIPS = ("encoder-decoder", "U-Net"), "network that ships"
DRAWING = {"plotting", "plt", "play", "display", "print", "claim"}


def python(source):
    """A cell's Python, without IPython's % lines."""
    return ast.parse(re.sub(r"%timeit.*|^%.*$", "None", source, flags=re.MULTILINE))


def draws(statement):
    """Whether a statement is a call that only shows something."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    called = statement.value.func
    while isinstance(called, ast.Attribute):
        called = called.value
    return isinstance(called, ast.Name) and called.id in DRAWING


def code_hash(notebook):
    """SHA-256 over what a notebook computes: comments, layout and calls that only show are out."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    computing = [node for cell in cells for node in python(cell).body if not draws(node)]
    return hashlib.sha256("\n".join(map(ast.unparse, computing)).encode()).hexdigest()


def record(stem):
    """Run one notebook from a clean kernel; keep its outputs and write down its results."""
    path = ROOT / f"{stem}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    probe = nbformat.v4.new_code_cell("import json; print(json.dumps(results, default=float))")
    notebook.cells.append(probe)
    started, worked = time.time(), processor_seconds()
    client = nbclient.NotebookClient(
        notebook,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(ROOT)}},
        extra_arguments=["--IPKernelApp.capture_fd_output=False"],
        on_cell_executed=lambda cell, cell_index, **_: print(
            f"{stem}: cell {cell_index + 1} of {len(notebook.cells)}", end="\r", flush=True
        ),
    )
    client.execute()
    seconds = time.time() - started
    notebook.cells.pop()
    results = rounded(json.loads(probe.outputs[0].text))
    about = {
        "code": code_hash(notebook),
        "seconds": round(seconds),
        # What the cores worked, by their number; the seconds are the wall's, other work included.
        "minutes": round((processor_seconds() - worked) / 60 / os.cpu_count(), 1),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in PACKAGES},
        "recordings": Path(os.environ.get("RECON_RECORDINGS", "")).name or "those that ship",
    }
    text = json.dumps(about | {"results": results}, indent=1)
    (RESULTS / f"{NOTEBOOKS[stem]}.json").write_text(text + "\n")
    nbformat.write(notebook, path)
    print(f"{stem}: recorded after {seconds:.0f} s" + 20 * " ")


def processor_seconds():
    """What all processes that this one started and that have ended took of the processor."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def rounded(value):
    """Numbers to six significant digits, all the way down."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def load():
    """What was recorded: {record: dict} for every file in docs/results."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}


def best(rows, key):
    """(name, value) of the row with the largest number, the network that ships apart."""
    found = {name: row[key] for name, row in rows.items() if key in row and name != SHIPS}
    name = max(found, key=found.get)
    return name, found[name]


def readme_table():
    """The README's results tables, made from the records alone."""
    noise, hold = (load()[name]["results"] for name in NOTEBOOKS.values())
    lines = [
        "| experiment | untouched | best classical | encoder-decoder | U-Net"
        " | built on the physics | bound |",
        "|:---|---:|---:|---:|---:|---:|---:|",
    ]
    gains = [noise["networks"][name]["gain_db"] for name in (*SHAPES, "unrolled")]
    classical = best(noise["baselines"], "gain_db")
    lines.append(row("noise reduction: gain, dB", 0.0, classical, *gains, noise["limit_gain_db"]))
    for where in ("below", "above"):
        title = f"time quantization, {where} the Nyquist frequency of what is kept: mean SNR, dB"
        snr = [hold["networks"][name][where] for name in (*SHAPES, "mixture")]
        untouched, classical = hold["baselines"]["step-hold"][where], best(hold["baselines"], where)
        bound = hold["estimator"]["posterior mean"][where]
        lines.append(row(title, untouched, classical, *snr, bound))
    lines += ["", "| recordings | untouched | best classical | network that ships |"]
    lines.append("|:---|---:|---:|---:|")
    for title, rows, untouched in (
        ("hiss and impulses: mean SNR, dB", noise["recordings"], "untouched input"),
        ("every fourth sample kept: mean SNR, dB", hold["recordings"], "step-hold"),
    ):
        snr = (rows[untouched]["snr_db"], best(rows, "snr_db"), rows[SHIPS]["snr_db"])
        lines.append(row(title, *snr))
    return "\n".join(lines)


def row(title, *cells):
    """A row of a table in Markdown; a cell is a number, or a name and a number."""
    texts = [
        f"{cell[1]:.1f} ({cell[0]})" if isinstance(cell, tuple) else f"{cell:.1f}" for cell in cells
    ]
    return " | ".join([f"| {title}", *(text.replace("-", "−", 1) for text in texts)]) + " |"


def answer(stem):
    """What the first screen of a notebook says, made from its record alone."""
    results = load()[NOTEBOOKS[stem]]["results"]
    files, networks = results["recordings"], results["networks"]
    if stem == "NoiseReduction":
        name, gain = best(results["baselines"], "gain_db")
        classical, snr = best(files, "snr_db")
        return (
            f"A network of {results['parameters']['unrolled']:,} weights lowers the mean squared "
            f"error by **{networks['unrolled']['gain_db']:.2f} dB**. It is called *unrolled*: its "
            f"layers are the steps of a classical iteration. The bound is "
            f"{results['limit_gain_db']:.2f} dB. On average nobody does better, not even one who "
            f"is given the frequency and every impulse; a single waveform may come out better or "
            f"worse. A U-Net, which is given no such form, reaches "
            f"{networks['U-Net']['gain_db']:.2f} dB, the best classical method ({name}) "
            f"{gain:.2f} dB. A third network is for recordings. On "
            f"{results['corpus']['test_files']} of people and instruments that it never heard, it "
            f"raises the mean SNR from {files['untouched input']['snr_db']:.1f} dB to "
            f"{files[SHIPS]['snr_db']:.1f} dB, the best classical method ({classical}) to "
            f"{snr:.1f} dB. What the bound is there, nobody knows. On the left of the picture is "
            f"one sinusoid, on the right one recording."
        )
    reached = networks["mixture"]["by_cycles"], results["estimator"]["posterior mean"]["by_cycles"]
    known = [snr for snr, possible in zip(*reached, strict=True) if possible > 20]
    (name, below), (other, above) = (best(results["baselines"], key) for key in ("below", "above"))
    above = f"{above:.1f}".replace("-", "−")
    curve, snr = best(files, "snr_db")
    return (
        f"A network called *mixture* has several linear maps and chooses among them. At every "
        f"number of cycles but one it restores the sinusoid to **{min(known):.0f} dB SNR** or "
        f"better. At that one, the Nyquist frequency of the kept samples, all of them are zero, "
        f"and nobody can know the amplitude. This error, which nobody can avoid, decides the mean "
        f"squared error, and the network's is {networks['mixture']['to_limit_db']:.2f} dB from the "
        f"smallest possible. Below the Nyquist frequency the best interpolator ({name}) reaches "
        f"{below:.1f} dB, above it the best ({other}) {above} dB. No curve through the samples "
        f"can be right there. The network can, because it has learnt that the phase is zero. On "
        f"{results['corpus']['test_files']} recordings, of which every fourth sample is kept, "
        f"another network reaches {files[SHIPS]['snr_db']:.1f} dB on average, the best "
        f"interpolator ({curve}) {snr:.1f} dB. On the left of the picture is one sinusoid, on the "
        f"right one recording."
    )


def publish(stem):
    """Copy the best network of a notebook to recon/weights, with a card."""
    from recon import datasets, evaluation, models

    name = NOTEBOOKS[stem]
    results = load()[name]["results"]
    network = models.copy(recon.load(ROOT / BEST[name]), purpose=PURPOSE[name])
    models.save(network, WEIGHTS / f"{name}.keras")
    test = datasets.take(getattr(datasets, name)(256, seed=3), 8192)
    score = evaluation.score({"": network}, *test)[""]
    card = {
        "purpose": network.purpose,
        "what": f"models.{network.name}() of {stem}.ipynb, {network.count_params()} weights",
        "data": f"datasets.{name}() at its defaults, synthesised",
        "licence": "synthesised",
        "training_seed": 1,
        "test_seed": 3,
        "test_waveforms": 8192,
        "score": rounded(score),
        "training_seconds_at_most": round(results["seconds"][network.name], 1),
    }
    (WEIGHTS / f"{name}.json").write_text(json.dumps(card, indent=1) + "\n")


def save_figures(stem):
    """Copy the figures of cells tagged "readme" from a notebook to docs/figures."""
    for cell in nbformat.read(ROOT / f"{stem}.ipynb", as_version=4).cells:
        if "readme" in cell.metadata.get("tags", []):
            image = next(
                o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})
            )
            path = ROOT / "docs" / "figures" / f"{NOTEBOOKS[stem]}.png"
            path.write_bytes(base64.b64decode(image))


def minutes():
    """How long the README's main command takes, by the clock."""
    noise, hold = (load()[name]["seconds"] / 60 for name in NOTEBOOKS.values())
    took = f"{noise:.0f} and {hold:.0f} minutes on two CPU cores"
    return f"Both notebooks in place, figures included: {took}."


def filled(text, name, content):
    """A text with what stands between its two markers replaced."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    return before + start + content + "\n" + end + rest.partition(end)[2]


def fill_notebook(stem):
    """Put the answer on the first screen."""
    path = ROOT / f"{stem}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = filled(notebook.cells[0].source, "answer", answer(stem))
    nbformat.write(notebook, path)


def fill_readme():
    """Put the tables between the README's markers."""
    path = ROOT / "README.md"
    text = filled(path.read_text(), "results", readme_table())
    path.write_text(filled(text, "minutes", minutes()))


if __name__ == "__main__":
    os.environ["RECON_PROFILE"] = "full"
    for name in sys.argv[1:] or NOTEBOOKS:
        record(name)
        fill_notebook(name)
        save_figures(name)
        publish(name)
    fill_readme()

"""Execute the notebooks in the full profile and record what they measured.

    RECON_RECORDINGS=folder python tests/record.py [NOTEBOOK ...]

Writes the executed notebooks in place, docs/results/<notebook>.json for each, the results table and
the figure of the README, and the best network of each in recon/weights with a card. This is the run
whose numbers the project quotes; a reader's own run of the notebooks writes none of it.
"""

import base64
import hashlib
import json
import os
import re
import resource
import sys
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

import nbclient
import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from recon import datasets, evaluation, models  # noqa: E402

RESULTS = ROOT / "docs" / "results"
WEIGHTS = ROOT / "recon" / "weights"
NOTEBOOKS = {"NoiseReduction": "noise_reduction", "InverseQuantization": "inverse_quantization"}
BEST = {"noise_reduction": "runs/noise_unrolled_1.keras",
        "inverse_quantization": "runs/hold_mixture_1.keras"}  # fmt: skip
PURPOSE = {
    "noise_reduction": "sinusoids in hiss and impulses",
    "inverse_quantization": "sinusoids of known phase, held for 10 samples",
}
PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "matplotlib")


def code_hash(notebook):
    """SHA-256 over the sources of a notebook's code cells, in order."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


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
        "recordings": Path(os.environ.get("RECON_RECORDINGS", "")).name or "synthesised notes",
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


LEARNT = ("network that ships", "trained further")


def readme_table():
    """The README's results table, made from the records alone."""
    noise, hold = (load()[name]["results"] for name in NOTEBOOKS.values())
    classical = max(noise["baselines"].items(), key=lambda row: row[1]["gain_db"])
    shapes = ["encoder-decoder", "U-Net"]
    interpolator = max(hold["baselines"].items(), key=lambda row: row[1]["snr_db"])
    lines = [
        "| experiment | untouched | best classical | encoder-decoder | U-Net | built on the physics"
        " | limit |",
        "|:---|---:|---:|---:|---:|---:|---:|",
    ]
    networks = [noise["networks"][name]["gain_db"] for name in (*shapes, "unrolled")]
    cells = [0.0, classical[1]["gain_db"], *networks, noise["limit_gain_db"]]
    lines.append("| noise reduction, gain in dB | " + _cells(cells, 1, classical[0]))
    networks = [hold["networks"][name]["snr_db"] for name in (*shapes, "mixture")]
    best = hold["estimator"]["posterior mean"]["snr_db"]
    cells = [hold["baselines"]["step-hold"]["snr_db"], interpolator[1]["snr_db"], *networks, best]
    lines.append("| time quantization, mean SNR in dB | " + _cells(cells, 1, interpolator[0]))
    lines += ["", "| recordings, mean SNR in dB | untouched | best classical | network |"]
    lines.append("|:---|---:|---:|---:|")
    for title, results, untouched in (
        ("hiss and clicks", noise, "untouched input"),
        ("held for 4 samples", hold, "step-hold"),
    ):
        files = {name: row["snr_db"] for name, row in results["recordings"].items()}
        best = max((name for name in files if name not in LEARNT), key=files.get)
        cells = [files[untouched], files[best], files["trained further"]]
        lines.append(f"| {title} | " + _cells(cells, 1, best))
    return "\n".join(lines)


def _cells(values, best, name):
    texts = ["" if value is None else f"{value:.1f}".replace("-", "−") for value in values]
    texts[best] += f" ({name})"
    return " | ".join(texts) + " |"


def publish(stem):
    """Copy the best network of a notebook, without the optimizer, to recon/weights, with a card."""
    name = NOTEBOOKS[stem]
    network = models.copy(models.load(ROOT / BEST[name]), purpose=PURPOSE[name])
    models.save(network, WEIGHTS / f"{name}.keras")
    pipeline = partial(getattr(datasets, name), 256)
    score = evaluation.score({"": network}, *datasets.take(pipeline(seed=3), 8192))[""]
    results = load()[name]["results"]
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


def fill_readme():
    """Put the table between the README's markers."""
    path = ROOT / "README.md"
    parts = re.split(r"(<!-- results -->\n|<!-- end of results -->)", path.read_text())
    parts[2] = readme_table() + "\n"
    path.write_text("".join(parts))


if __name__ == "__main__":
    os.environ["RECON_PROFILE"] = "full"
    for name in sys.argv[1:] or NOTEBOOKS:
        record(name)
        save_figures(name)
        publish(name)
    fill_readme()

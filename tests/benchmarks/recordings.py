"""Score the networks for speech on held-out files, against every baseline, and publish them.

    python tests/benchmarks/recordings.py FOLDER [NAME ...]

FOLDER is the one that tests/speech.py trained on. Writes docs/results/recordings.json and,
for each NAME, all four by default, the weights of runs/ and a card to recon/weights.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import speech  # noqa: E402
from record import rounded  # noqa: E402

from recon import (  # noqa: E402
    audio,
    baselines,
    corruptors,
    datasets,
    evaluation,
    metrics,
    models,
    signals,
)

RESULTS = ROOT / "docs" / "results" / "recordings.json"
WHAT = {
    "speech_denoise_8k": "hiss of a standard deviation log-uniform in 0.005 to 0.1 of the peak, "
    "and impulses of half the peak on 0 to 1 % of the samples"
}


def classical(name, parts):
    """Every method that the network has to beat, chosen and fitted without the test files."""
    if name in WHAT:
        crops = datasets.crops(
            parts[1], 32, seed=speech.VALIDATION_SEED, n_samples=1_024, damage=speech.DAMAGE[name]
        )
        return baselines.denoisers(*datasets.take(crops, 256))
    hold_length = int(name[len("speech_hold")])
    linear = baselines.best_linear(parts[0].values(), hold_length)
    return baselines.interpolators(hold_length) | {"best linear": linear}


def measures(name):
    if name in WHAT:
        return {"si_sdr_db": metrics.si_sdr_db}
    return evaluation.spectral_measures(int(name[len("speech_hold")]))


def notes():
    """Signals that anyone can make again, to check the published networks on."""
    return {str(i): x for i, x in enumerate(signals.notes(8, 8_000, 8_000, (0, 4)).numpy())}


def check(network, name):
    """Mean SNR over the notes, in dB."""
    files = evaluation.score_files(
        {name: network}, notes(), speech.DAMAGE[name], seed=speech.TEST_SEED
    )
    return float(files[name]["snr_db"].mean())


def clean_snr_db(network, recordings):
    """What a denoiser does to recordings that have no damage: mean SNR over the files, and the
    worst."""
    intact = evaluation.score_files(
        {"network": network}, recordings, corruptors.hold(1), seed=speech.TEST_SEED
    )["network"]["snr_db"]
    return {"mean_db": float(intact.mean()), "worst_db": float(intact.min())}


def main(folder, names):
    recordings, _ = audio.load(folder)
    parts = audio.split(recordings)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in names or speech.BUILD:
        path = ROOT / "runs" / f"{name}.keras"
        network, record = models.load(path), json.loads(path.with_suffix(".json").read_text())
        methods = classical(name, parts) | {"network": network}
        files = evaluation.score_files(
            methods, parts[2], speech.DAMAGE[name], seed=speech.TEST_SEED, measures=measures(name)
        )
        scores = evaluation.per_file(files)
        about = {"files": len(parts[2])}
        if name in WHAT:
            about["undamaged"] = clean_snr_db(network, parts[2])
        results[name] = rounded(about | {"scores": scores})
        print(name, evaluation.table(scores, evaluation.FILE_COLUMNS), sep="\n")
        models.save(network, ROOT / "recon" / "weights" / path.name)
        card = {
            "purpose": network.purpose,
            "what": f"models.{network.name}(), {network.count_params()} weights",
            "data": "Free Spoken Digit Dataset, training part of its files, 8 kHz mono",
            "licence": "CC BY-SA 4.0 (data)",
            "damage": WHAT.get(name, f"held for {name[len('speech_hold')]} samples, no low-pass"),
            "sample_rate": network.sample_rate,
            "training_seed": speech.SEED,
            "training_steps": record["steps"],
            "training_seconds": round(record["seconds"]),
            "test_files": len(parts[2]),
            "score": rounded(scores["network"]),
            "score_on_synthesised_notes_db": rounded(check(network, name)),
            "retrain": f"python tests/speech.py FOLDER {name}",
        }
        card_path = ROOT / "recon" / "weights" / f"{name}.json"
        card_path.write_text(json.dumps(card, indent=1) + "\n")
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

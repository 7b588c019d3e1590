"""Something to hear and to move, first in both notebooks: players, and sliders."""

from functools import cache, wraps

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import soundfile
from IPython import get_ipython
from IPython.display import Audio, display

import recon
from recon import audio, baselines, corruptors, datasets, limits, metrics, plotting, settings
from recon.signals import sinusoid

# The experiments, as the networks that ship know them.
NOISE = datasets.noise_reduction.__kwdefaults__
HOLD = datasets.inverse_quantization.__kwdefaults__
SAMPLE_RATE = 8000  # of an experiment, to listen to for a second
_load = cache(recon.load)


def listen(sounds, sample_rate):
    """Show a player for each sound, all at one loudness: an amplitude of 2 is full volume.

    Args:
        sounds: {title: float array, any shape, played in order}.
        sample_rate: Hz.
    """
    players = []
    for title, sound in sounds.items():
        samples = np.clip(np.ravel(sound) / 2, -1, 1)
        player = Audio(samples, rate=sample_rate, normalize=False)._repr_html_()
        player = player.replace("<audio", '<audio style="width: 20em"', 1)  # four in a row
        players.append(f"<div>{title}<br>{player}</div>")
    page = f'<div style="display: flex; flex-wrap: wrap; gap: 1em">{"".join(players)}</div>'
    display({"text/html": page, "text/plain": f"players: {' · '.join(sounds)}"}, raw=True)


def sliders(function, **controls):
    """Sliders that call a function anew; where nobody can move them, what it shows at its defaults.

    Args:
        function: of numbers or texts, all with defaults.
        controls: for each that can be moved (lowest, highest, step), or a list to choose from.
    """

    @wraps(function)
    def shown(**values):
        plt.close(plt.figure())  # turns Jupyter's backend on, which resets the style
        with plt.rc_context():  # no setup cell has been run yet
            plotting.style()
            function(**values)

    kernel = getattr(get_ipython(), "kernel", None)
    request = kernel.get_parent() if kernel else {}
    if not request.get("content", {}).get("allow_stdin"):  # nobody to ask
        shown()
        return
    panel = ipywidgets.interactive(shown, **controls)
    for widget in panel.children[:-1]:
        widget.continuous_update, widget.layout.width = False, "400px"
        widget.style.description_width = "140px"
    panel.children[-1].layout.width = "100%"  # a row of its own, below the sliders
    display(ipywidgets.Box(panel.children, layout={"flex_flow": "row wrap"}))


def noise(
    cycles=5.0, amplitude=0.8, phase=0.0, stddev=0.08, impulse_rate=0.02, impulse_amplitude=0.5
):
    """A sinusoid in hiss and impulses, and what the network for it makes of that.

    Frames follow each other without a break, each with noise of its own; the first is drawn.

    Args:
        cycles: per frame; not necessarily whole.
        amplitude, phase: linear, above 0; radians.
        stddev: of the hiss, linear amplitude.
        impulse_rate, impulse_amplitude: probability per sample; what an impulse adds.

    Returns:
        {"corrupted", "network": SNR over all frames, "gain", "to_limit"}, dB.
    """
    clean = _frames(cycles, amplitude, phase, NOISE["n_samples"])
    corrupted = _noise(stddev, impulse_rate, impulse_amplitude)(clean, (0, 0))
    restored = _load("noise_reduction")(corrupted[..., None])[..., 0]
    bound = limits.noise_bound(**NOISE | {"stddev": (stddev, stddev)})
    gain = metrics.gain_db(clean, corrupted, restored)
    with np.errstate(divide="ignore"):  # without noise the bound is 0
        to_limit = float(10 * np.log10(metrics.mse(clean, restored).mean() / bound))
    note = f"gain {gain:z.1f} dB, {to_limit:z.1f} dB from the bound"
    snr = _show(clean, {"corrupted": corrupted, "network": restored}, note)
    return snr | {"gain": gain, "to_limit": to_limit}


def hold(cycles=6.0, amplitude=0.8, phase=0.0, hold_length=10):
    """A sinusoid held for some samples, and what a spline and the network for it make of that.

    Returns:
        {"held", "cubic spline", "network"}: SNR over all frames, dB.
    """
    clean = _frames(cycles, amplitude, phase, HOLD["n_samples"])
    held = corruptors.sample_and_hold(clean, hold_length)
    restored = _load("inverse_quantization")(held[..., None])[..., 0]
    spline = baselines.spline(held.numpy()[..., None], hold_length=hold_length)[..., 0]
    first, last = HOLD["cycles"]
    trained = phase == 0 and hold_length == HOLD["hold_length"] and first <= cycles <= last
    note = "it was not trained on this"
    if trained and cycles == round(cycles):
        bound = limits.hold_bound(**HOLD)[round(cycles) - first]
        note = "nobody can know the amplitude" if bound else "the knots tell it all"
    return _show(clean, {"held": held, "cubic spline": spline, "network": restored}, note)


def _noise(stddev, impulse_rate, impulse_amplitude):
    """Damage of one level and one rate."""
    constant = {"stddev": (stddev, stddev), "impulse_rate": (impulse_rate, impulse_rate)}
    return corruptors.noise(**constant, impulse_amplitude=impulse_amplitude)


def _frames(cycles, amplitude, phase, n_samples):
    """A second of frames that follow each other without a break, [frames, n_samples]."""
    turns = 2 * np.pi * cycles * np.arange(SAMPLE_RATE // n_samples)
    return sinusoid(cycles, amplitude, phase + turns, n_samples)


def recordings():
    """[(name, path)] of recordings to play with; of those that ship, voices first."""
    paths = sorted(settings.recordings().rglob("[!.]*.*"), reverse=True)
    formats = soundfile.available_formats()
    return [(path.name, str(path)) for path in paths if path.suffix[1:].upper() in formats]


def noisy_recording(name="", stddev=0.02, impulse_rate=0.002, impulse_amplitude=0.5):
    """A recording, by its path, in hiss and impulses, and what the network for it makes of that.

    Returns:
        {"corrupted", "network"}: SNR, dB.
    """
    return _recording(name, _noise(stddev, impulse_rate, impulse_amplitude), "denoise")


def held_recording(name="", hold_length=4):
    """A recording held for 2, 4 or 6 samples, and what the network for it makes of that.

    Returns:
        {"corrupted", "network"}: SNR, dB.
    """
    return _recording(name, corruptors.hold(hold_length), f"hold_{hold_length}")


def _recording(name, damage, network):
    clean, rate = audio.read_mono(name or recordings()[0][1])
    clean /= np.abs(clean).max() or 1.0
    corrupted = damage(clean[None], (0, 0))[0].numpy()
    restored = recon.restore(corrupted, rate, network=_load(network), resample=True)
    return _show(clean, {"corrupted": corrupted, "network": restored}, sample_rate=rate)


def _show(clean, sounds, note="", sample_rate=SAMPLE_RATE):
    """Draw recordings, or the first of several frames, play them, and return their SNRs in dB."""
    clean, sounds = np.asarray(clean), {label: np.asarray(x) for label, x in sounds.items()}
    snr = {label: metrics.snr_db(clean.ravel(), x.ravel()) for label, x in sounds.items()}
    titles = {label: f"{label}: {value:z.1f} dB SNR" for label, value in snr.items()}
    titles["network"] += f"; {note}" if note else ""
    if clean.ndim == 1:
        panels = {titles[label]: x for label, x in sounds.items()} | {"clean": clean}
        figure = plotting.spectrograms(panels, sample_rate)
    else:
        panels = {titles[label]: {"clean": clean[0], label: x[0]} for label, x in sounds.items()}
        figure = plotting.waveforms(panels, steps=["held"])
    display(figure)
    plt.close(figure)
    listen(sounds | {"clean": clean}, sample_rate)
    return snr

"""Something to hear and to move: players, and sliders over an experiment; first in both notebooks.

What `sliders` moves is a function of numbers and texts that draws, restores and plays. It has all
that it needs from its arguments, so that no cell of a notebook can break it.
"""

import inspect
from contextlib import suppress
from functools import cache, partial
from itertools import islice
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from IPython import get_ipython
from IPython.display import Audio, display

import recon
from recon import (
    audio,
    baselines,
    checks,
    corruptors,
    datasets,
    limits,
    metrics,
    plotting,
    settings,
    signals,
)
from recon.quiet import silence

# The experiments, as the networks that ship know them.
NOISE = datasets.noise_reduction.__kwdefaults__
HOLD = datasets.inverse_quantization.__kwdefaults__
MOST = 100  # recordings to choose from
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
    """Sliders that call a function anew when one is moved, where somebody is there to move them.

    A program that executes a notebook gets what the function shows at its defaults instead.

    Args:
        function: of numbers or texts, all with defaults.
        controls: for each that can be moved (lowest, highest, step), or a list to choose from; a
            path in it goes by its last name.
    """

    def shown(**values):
        plt.close(plt.figure())  # Jupyter's backend turns itself on here, or it would be undone
        with silence(), plt.rc_context():  # no setup cell has been run yet
            plotting.style()
            function(**values)

    kernel = getattr(get_ipython(), "kernel", None)
    request = kernel.get_parent() if kernel else {}
    if not request.get("content", {}).get("allow_stdin"):  # nobody to ask
        shown()
        return
    parameters = inspect.signature(function).parameters
    widgets = {
        name: _control(name, parameters[name].default, values) for name, values in controls.items()
    }
    output = ipywidgets.interactive_output(shown, widgets)
    output.layout.width = "100%"  # a row of its own, below as few rows of sliders as the window has
    display(ipywidgets.Box([*widgets.values(), output], layout={"flex_flow": "row wrap"}))


def _control(name, default, values):
    if isinstance(values, list):
        default = default if default in values else values[0]
        values = [(Path(str(value)).name, value) for value in values]
    widget = ipywidgets.interactive.widget_from_abbrev(values, default)
    widget.description, widget.layout.width = name.replace("_", " "), "400px"
    widget.style.description_width = "140px"
    if isinstance(values, tuple):
        widget.continuous_update = False
        if isinstance(widget, ipywidgets.FloatSlider):  # as many digits as the step has
            widget.readout_format = f".{len(str(values[2]).partition('.')[2])}f"
    return widget


def noise(
    cycles=5.0, amplitude=0.8, phase=0.0, stddev=0.08, impulse_rate=0.02, impulse_amplitude=0.5
):  # fmt: skip
    """A sinusoid in hiss and impulses, and what the network for it makes of that.

    Frames follow each other without a break, each with noise of its own; the first is drawn.

    Args:
        cycles: per frame; not necessarily whole.
        amplitude: linear, above 0.
        phase: radians.
        stddev: of the hiss, linear amplitude.
        impulse_rate: probability per sample.
        impulse_amplitude: what an impulse adds, with either sign.

    Returns:
        {"snr_db", "restored_snr_db", "gain_db", "to_limit_db"} over all frames.
    """
    clean = _frames(cycles, amplitude, phase, NOISE["n_samples"])
    corrupted = _noise(stddev, impulse_rate, impulse_amplitude)(clean, (0, 0)).numpy()
    restored = np.asarray(_load("noise_reduction")(corrupted[..., None]))[..., 0]
    bound = limits.noise_bound(**NOISE | {"stddev": (stddev, stddev)})
    found = _scores(clean.numpy(), corrupted, restored)
    with np.errstate(divide="ignore"):  # without noise the bound is 0
        found["to_limit_db"] = float(10 * np.log10(metrics.mse(clean, restored).mean() / bound))
    before = f"corrupted: {found['snr_db']:z.1f} dB SNR"
    after = f"restored: gain {found['gain_db']:z.1f} dB"
    after += f", {found['to_limit_db']:z.1f} dB from the limit"
    _show(clean, {"corrupted": (before, corrupted), "network": (after, restored)})
    return found


def hold(cycles=6.0, amplitude=0.8, phase=0.0, hold_length=10):
    """A sinusoid held for some samples, and what a spline and the network for it make of that.

    Args:
        cycles, amplitude, phase: as in `noise`.
        hold_length: samples per knot.

    Returns:
        {"snr_db", "spline_snr_db", "restored_snr_db", "gain_db"} over all frames.
    """
    clean = _frames(cycles, amplitude, phase, HOLD["n_samples"])
    held = corruptors.sample_and_hold(clean, hold_length).numpy()
    restored = np.asarray(_load("inverse_quantization")(held[..., None]))[..., 0]
    spline = baselines.spline(held[..., None], hold_length=hold_length)[..., 0]
    found = _scores(clean.numpy(), held, restored)
    found["spline_snr_db"] = _scores(clean.numpy(), held, spline)["restored_snr_db"]
    first, last = HOLD["cycles"]
    limit = "it was not trained on this"
    trained = phase == 0 and hold_length == HOLD["hold_length"] and first <= cycles <= last
    if trained and cycles == round(cycles):
        bound = limits.hold_bound(**HOLD)[round(cycles) - first]
        limit = "nobody can know the amplitude" if bound else "the knots tell it all"
    panels = {
        "held": (f"held: {found['snr_db']:z.1f} dB SNR", held),
        "spline": (f"cubic spline: {found['spline_snr_db']:z.1f} dB SNR", spline),
        "network": (f"network: {found['restored_snr_db']:z.1f} dB SNR; {limit}", restored),
    }
    _show(clean, panels, steps=["held"])
    return found


def _noise(stddev, impulse_rate, impulse_amplitude):
    """Damage of one level and one rate."""
    ranges = {"stddev": (stddev, stddev), "impulse_rate": (impulse_rate, impulse_rate)}
    return corruptors.noise(**ranges, impulse_amplitude=impulse_amplitude)


def _frames(cycles, amplitude, phase, n_samples):
    """A second of frames that follow each other without a break, [frames, n_samples]."""
    alike = np.ones(SAMPLE_RATE // n_samples)
    turns = 2 * np.pi * cycles * np.arange(len(alike))
    return signals.sinusoid(cycles * alike, amplitude * alike, phase + turns, n_samples)


def _scores(clean, corrupted, restored):
    """Of all frames together, laid end to end."""
    clean, corrupted, restored = (np.ravel(signal) for signal in (clean, corrupted, restored))
    return {
        "snr_db": metrics.snr_db(clean, corrupted),
        "restored_snr_db": metrics.snr_db(clean, restored),
        "gain_db": metrics.gain_db(clean, corrupted, restored),
    }


def _show(clean, panels, steps=()):
    """The first frame of each {label: (title, frames)}, and all to listen to."""
    drawn = {
        title: {"clean": clean[0], label: frames[0]} for label, (title, frames) in panels.items()
    }
    sounds = dict(panels.values()) | {"clean": clean}
    _present(plotting.waveforms(drawn, steps=steps), sounds, SAMPLE_RATE)


def recordings():
    """Paths of recordings to play with: those that ship, or the first in the folder that is named,
    without what is no recording."""
    paths = sorted(settings.recordings().rglob("*"), reverse=True)  # voices first, as they ship
    usable = list(islice(filter(_usable, paths), MOST))
    checks.require(usable, "RECON_RECORDINGS must hold a recording", f"{len(paths)} other files")
    return [str(path) for path in usable]


def _usable(path):
    with suppress(ValueError), audio.reading(path):
        return True
    return False


def noisy_recording(name=None, stddev=0.02, impulse_rate=0.002, impulse_amplitude=0.5):
    """A recording in hiss and impulses, and what the network for it makes of that.

    Args:
        name: path; None for the first of `recordings`.
        stddev, impulse_rate, impulse_amplitude: as in `noise`, for a peak of 1.

    Returns:
        {"snr_db", "restored_snr_db", "gain_db"}.
    """
    return _recording(name, _noise(stddev, impulse_rate, impulse_amplitude), "denoise")


def held_recording(name=None, hold_length=4):
    """A recording held for some samples, and what the network for it makes of that.

    Args:
        name: as in `noisy_recording`.
        hold_length: samples per knot, 2, 4 or 6.

    Returns:
        {"snr_db", "restored_snr_db", "gain_db"}.
    """
    return _recording(name, corruptors.hold(hold_length), f"hold_{hold_length}")


def _recording(name, damage, network):
    with audio.reading(name or recordings()[0]) as file:
        sample_rate = file.samplerate
        clean = file.read(dtype="float32", always_2d=True).mean(axis=1)
    clean /= np.abs(clean).max() or 1.0
    corrupted = np.asarray(damage(clean[None], (0, 0)))[0]
    restored = recon.restore(corrupted, sample_rate, network=_load(network), resample=True)
    found = _scores(clean, corrupted, restored)
    sounds = {
        f"corrupted: {found['snr_db']:z.1f} dB SNR": corrupted,
        f"restored: {found['restored_snr_db']:z.1f} dB SNR": restored,
        "clean": clean,
    }
    _present(plotting.spectrograms(sounds, sample_rate), sounds, sample_rate)
    return found


def _present(figure, sounds, sample_rate):
    """A figure, and a player for each sound under the first words of its title."""
    display(figure)
    plt.close(figure)
    listen({title.partition(":")[0]: sound for title, sound in sounds.items()}, sample_rate)


checks.guard(
    __name__,
    amplitude=partial(checks.number, low=0),
    cycles=checks.number,
    impulse_rate=partial(checks.number, low=0, high=1),
    name=checks.PATH,
    phase=checks.number,
    stddev=partial(checks.number, low=0),
)

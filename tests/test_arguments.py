"""Every function that a module guards: a result, or one line about one of its arguments."""

import inspect
from decimal import Decimal

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from test_fuzz import ANYTHING, RANGES, SIGNALS, TONE, few, not_too_large, outcome, small_network

from recon import (
    audio,
    baselines,
    corruptors,
    datasets,
    evaluation,
    framing,
    limits,
    metrics,
    models,
    plotting,
    signals,
    training,
)

WAVES = np.sin(np.arange(128, dtype=np.float32)).reshape(2, 64, 1)
THREE = np.sin(np.arange(96.0)).reshape(3, 32, 1)
SINUSOIDS = {"n_samples": 64, "cycles": (1, 3), "amplitude": (0.1, 1), "phase": (0, 0)}
HISS = {"stddev": (0.1, 0.2), "impulse_rate": (0, 0.1), "impulse_amplitude": 0.5}
CLICKS = {"impulse_size": (0.5, 1), "impulse_length": (1, 4)}
FILES = {"a/x": TONE, "b/y": TONE, "c": TONE}
SAME = {"same": lambda x: x}
TABLE = {"a": {"x": 1.0}, "b": {"x": 2.0}}
SEED, STREAM = {"seed": (1, 2)}, {"seed": 1}
HELD = {"held": np.repeat(WAVES[:, ::4], 4, axis=1), "hold_length": 4}
LINES = {"one": {"clean": TONE, "held": TONE}}
NAMED = {"xlabel": "x, s", "ylabel": "y, dB"}
RECORD = {"net": {"second": [1.0, 2.0], "validation_mse": [0.1, 0.01]}}
LONG = np.sin(np.arange(400.0))


def damage(clean, seed):
    return clean


USUAL = {  # a call of each that is answered
    audio.load: None,  # test_fuzz.py and test_audio.py
    audio.reading: None,
    audio.writing: None,
    audio.write: None,
    audio.blocks: None,
    audio.extent: None,
    audio.lost: None,
    audio.resampled: {"stream": [], "sample_rate": 8_000, "target_rate": 16_000, "channels": 1},
    audio.first_knot: None,
    audio.matches: {"name": "a/b.wav", "patterns": ["*.wav"]},
    audio.split: {"recordings": FILES, "test": "c"},
    baselines.untouched: {"corrupted": WAVES},
    baselines.median: {"noisy": WAVES, "kernel_size": 5},
    baselines.moving_average: {"noisy": WAVES, "kernel_size": 5},
    baselines.savitzky_golay: {"noisy": WAVES, "window_length": 9, "polyorder": 2},
    baselines.wiener: {"noisy": WAVES, "kernel_size": 7},
    baselines.largest_bin: {"noisy": WAVES},
    baselines.given_bins: {"noisy": WAVES, "clean": WAVES},
    baselines.expectation_maximisation: {"corrupted": WAVES} | SINUSOIDS | HISS,
    baselines.denoisers: {"corrupted": WAVES, "clean": WAVES},
    baselines.spline: HELD | {"degree": 5},
    baselines.polyphase: HELD | {"kernel": np.zeros_like, "taps": 4},
    baselines.best_linear: {"recordings": [LONG], "hold_length": 2, "taps": 8},
    baselines.posterior_mean: HELD | SINUSOIDS,
    baselines.lagrange: HELD,
    baselines.windowed_sinc: HELD,
    baselines.fft: HELD | {"periodic": True},
    baselines.interpolators: {"hold_length": 4},
    corruptors.add_gaussian_noise: {"signal": WAVES, "stddev": 0.1, "tilt": [-3, 0]} | SEED,
    corruptors.add_impulse_noise: {"signal": WAVES, "impulse_rate": 0.1, "impulse_amplitude": 1}
    | SEED
    | CLICKS,
    corruptors.sample_and_hold: {"signal": WAVES, "hold_length": [2, 3]},
    corruptors.noise: HISS | CLICKS | {"logarithmic": True, "tilt": (-3, 3)},
    corruptors.hold: {"hold_length": (2, 4)},
    corruptors.applied: None,
    corruptors.either: {"shares": {damage: 1}},
    datasets.noise_reduction: {"batch_size": 4} | STREAM | SINUSOIDS | HISS,
    datasets.inverse_quantization: {"batch_size": 4, "hold_length": 4} | STREAM | SINUSOIDS,
    datasets.crops: {"recordings": FILES, "batch_size": 4, "n_samples": 16, "damage": damage}
    | {"gain": (0.5, 1), "weights": {"a": 1}}
    | STREAM,
    datasets.pairs: None,  # test_training.py
    datasets.take: {"dataset": datasets.inverse_quantization(4, seed=1), "count": 3},
    evaluation.score: {"methods": SAME, "corrupted": WAVES, "clean": WAVES, "limit": 0.1},
    evaluation.over_seeds: {"scores": [{"x": 1.0}, {"x": 2.0}]},
    evaluation.group_means: {"values": [1, 2], "groups": [0, 1]},
    evaluation.apply: {"method": np.copy, "corrupted": WAVES},
    evaluation.corrupted_as: {"damage": damage, "clean": WAVES[:1], "index": 0} | STREAM,
    evaluation.score_files: {"methods": SAME, "recordings": FILES, "damage": damage} | STREAM,
    evaluation.spectral_measures: {"hold_length": 4},
    evaluation.worst: {"clean": THREE, "estimate": 0 * THREE},
    evaluation.per_file: {"scores": {"a": {"snr_db": np.ones(3)}}},
    evaluation.seams: {"methods": SAME, "corrupted": LONG, "clean": LONG, "frame_length": 64}
    | {"whole": LONG, "width": 8},
    evaluation.table: {"scores": TABLE, "columns": {"x": ("x, dB", ".1f")}, "best_last": False},
    framing.Stream: {"model": SAME["same"]},
    framing.restore: {"model": SAME["same"], "signal": TONE, "chunk_length": 9},
    framing.pieces: {"model": SAME["same"], "chunks": [TONE]},
    framing.frame_by_frame: {"model": SAME["same"], "signal": TONE, "frame_length": 9},
    framing.overlap_add: {"model": SAME["same"], "signal": TONE, "frame_length": 8},
    limits.mean_square: {"bounds": (0, 1)},
    limits.is_circle: {"phase": (0, 1)},
    limits.noise_error: SINUSOIDS | HISS,
    limits.noise_bound: SINUSOIDS | HISS,
    limits.check_cycles: {"cycles": (1, 3), "n_samples": 64},
    limits.amplitude_posterior: {"rho": [0.5], "s": [0.1], "amplitude": (0, 1), "circle": True},
    limits.hold_error: SINUSOIDS | {"hold_length": (2, 4)},
    limits.hold_bound: SINUSOIDS | {"hold_length": (2, 4)},
    limits.hold_lengths: {"hold_length": (2, 4)},
    limits.held_prior: {"n_samples": 64, "cycles": (1, 3), "amplitude": (0, 1), "hold_length": 4}
    | {"known": 1.0},
    metrics.mse: {"reference": WAVES, "estimate": WAVES},
    metrics.snr_db: {"reference": WAVES, "estimate": WAVES},
    metrics.si_sdr_db: {"reference": WAVES, "estimate": WAVES},
    metrics.log_spectral_distance: {"reference": WAVES, "estimate": WAVES, "frame_length": 16}
    | {"band": (0, 0.5)},
    metrics.gain_db: {"reference": WAVES, "corrupted": WAVES, "estimate": WAVES},
    models.Network: None,  # test_models.py
    models.SpectralMask: {"channels": 4},
    models.ImpulseRemoval: {"channels": 4},
    models.LinearExperts: {"experts": 2, "outputs": 3, "hold_length": 4},
    models.SpectralGain: {"frame_length": 16, "channels": 4, "dilations": (1, 2)},
    models.Surprise: {"frame_length": 16},
    models.SpectralShares: {"hold_length": 4, "frame_length": 16, "channels": 4, "dilations": [1]},
    models.Choice: {"count": 2},
    models.as_network: {"model": None},
    models.copy: None,  # test_models.py
    models.uncompiled: None,
    models.save: {"model": None, "path": "no/no.keras"},
    models.load: {"path": "no.keras"},
    models.encoder_decoder: {"channels": (4, 4), "kernel_sizes": (3, 3), "factors": (2,)},
    models.unet: {"stem": 4, "window": 2, "channels": (4, 4), "front": 2, "stages": 1},
    models.unrolled: {"frame_length": 16, "channels": 4, "name": "some"},
    models.mixture: {"frame_length": 16, "hold_length": 4, "experts": 2, "rank": 3},
    models.denoiser: {"position": 4, "channels": 4, "dilations": (1,), "frame_length": 16}
    | {"gains": ((32, 4, (1,)),)},
    models.interpolator: {"hold_length": 4, "frame_lengths": (16,), "channels": 4}
    | {"dilations": (1,)},
    plotting.style: None,
    plotting.waveforms: {"panels": LINES, "x": np.arange(40), "steps": ("held",)},
    plotting.examples: {"batches": {"clean": WAVES}, "rows": {"one": 1}, "steps": ("held",)},
    plotting.training: {"records": RECORD, "levels": {"limit": 0.1}},
    plotting.curves: {"x": [1, 2], "series": {"a": [1, 2]}, "marks": {"here": 1.5}} | NAMED,
    plotting.spectrograms: {"signals": {"a": LONG}, "sample_rate": 8_000},
    plotting.maps: {"panels": {"a": np.eye(2)}, "x": [1, 2], "y": [1, 2], "label": "z"} | NAMED,
    plotting.overview: {"panels": LINES | {"two": LINES["one"]}, "sounds": {"a": LONG}}
    | {"sample_rate": 8_000, "steps": ("held",)},
    signals.per_waveform: None,
    signals.drawn: None,
    signals.uniform: {"bounds": (0.1, 1), "count": 3, "logarithmic": True} | SEED,
    signals.normal: {"shape": [2, 3]} | SEED,
    signals.sinusoid: {"cycles": [1, 2], "amplitude": 1, "phase": [0, 1], "n_samples": 64},
    signals.draw_sinusoids: {"count": 2} | SINUSOIDS | SEED,
    training.fit: None,  # test_training.py
    training.fit_seeds: None,
}
MODULES = [audio, baselines, corruptors, datasets, evaluation, framing, limits, metrics, models]
MODULES += [plotting, signals, training]
CALLED = {f"{f.__module__[6:]}.{f.__name__}": f for f, usual in USUAL.items() if usual}
TEXTS = st.text(max_size=5)
HERE = ANYTHING | SIGNALS | RANGES | st.dictionaries(TEXTS, ANYTHING | SIGNALS, max_size=2)
HERE |= st.lists(st.integers(-1, 5), max_size=4).map(tuple)


def public(module):
    for name, value in vars(module).items():
        own = callable(value) and getattr(value, "__module__", "") == module.__name__
        if own and name == value.__name__ and name[0] != "_":
            yield value


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_public_function_is_left_out(module):
    unknown = [function.__name__ for function in public(module) if function not in USUAL]
    assert unknown in ([], ["log_mean_squared_error", "devices"])


@pytest.mark.parametrize("name", CALLED)
def test_usual_arguments_are_answered(name):
    if name not in ("models.as_network", "models.load", "models.save"):
        answered(name, USUAL[CALLED[name]])


@pytest.mark.parametrize("name", CALLED)
@given(data=st.data())
@few(15)
def test_any_arguments_are_answered_or_refused_by_name(name, data):
    usual = USUAL[CALLED[name]]
    wrong = data.draw(st.sets(st.sampled_from(sorted(usual)), min_size=1, max_size=2), "wrong")
    values = {key: data.draw(HERE.filter(not_too_large), key) for key in sorted(wrong)}
    answered(name, usual | values)


class Plain:
    """A network that changes nothing."""

    receptive_field = (0, 0, 1)

    def __call__(self, x):
        return x


def reaching(*receptive_field):
    """One that says how far it looks."""
    model = Plain()
    model.receptive_field = receptive_field
    return model


class Answering(Plain):
    """A network of one's own."""

    def __init__(self, function):
        self.function = function

    def __call__(self, x):
        return self.function(x)


HALF = tf.cast(WAVES, tf.float16)
NEARLY = [  # what each, and what of it, is refused for
    ("audio.resampled", "target_rate", {"target_rate": np.nan}),
    ("audio.matches", "patterns", {"patterns": 5}),
    (
        "baselines.polyphase",
        r"held \* kernel\(...\)",
        {"held": 1e29 * WAVES} | {"kernel": lambda d: 1e29 + d},
    ),
    ("datasets.crops", "clean", {"recordings": {"a/x": 1e20 * TONE}, "gain": (1e20, 1e20)}),
    ("evaluation.seams", r"methods\['a'\]", {"methods": {"a": 1}}),
    ("evaluation.score", r"methods\['a'\]", {"methods": {"a": [1]}}),
    ("evaluation.over_seeds", r"scores\[...\]\['a'\]", {"scores": [{"a": None}, {"a": 1}]}),
    ("evaluation.group_means", "groups", {"groups": [None, 1]}),
    ("evaluation.group_means", "groups", {"groups": [[1], [1, 2]]}),
    ("limits.mean_square", "bounds", {"bounds": keras.Input((None, 1))}),
    ("models.Surprise", "frame_length", {"frame_length": 6}),
    ("models.SpectralShares", "hold_length", {"hold_length": 1}),
    ("plotting.spectrograms", r"signals\['a'\]", {"signals": {"a": LONG[:256]}}),
    ("signals.uniform", "bounds", {"bounds": (0, 2**25), "whole": True, "logarithmic": False}),
    ("signals.uniform", "count", {"count": tf.constant(2.5)}),
    ("baselines.median", "kernel_size", {"kernel_size": 0}),
    ("baselines.median", "kernel_size", {"kernel_size": 2.5}),
    ("baselines.savitzky_golay", "window_length", {"polyorder": 9}),
    ("baselines.savitzky_golay", "window_length", {"window_length": 65}),
    (
        "baselines.savitzky_golay",
        r"\(window_length / 2\)\^polyorder",
        {"window_length": 51} | {"polyorder": 8},
    ),
    ("baselines.given_bins", "noisy and clean", {"clean": WAVES[:, :32]}),
    ("baselines.denoisers", "corrupted and clean", {"clean": WAVES[:1]}),
    ("baselines.spline", "degree", {"degree": 2}),
    ("baselines.best_linear", "recordings", {"recordings": {}}),
    ("baselines.best_linear", "recordings", {"recordings": [0 * LONG]}),
    ("baselines.best_linear", "taps", {"taps": 40}),
    ("baselines.posterior_mean", "held", {"n_samples": 100.0}),
    ("baselines.best_linear", "recordings", {"recordings": [LONG[:1]]}),
    ("baselines.median", "kernel_size", {"kernel_size": 4}),
    ("baselines.wiener", "noisy", {"noisy": WAVES[:0]}),
    ("baselines.polyphase", r"kernel\(...\)", {"kernel": lambda d: d[0]}),
    ("baselines.polyphase", "hold_length", {"hold_length": 2**31 - 2}),
    ("corruptors.add_gaussian_noise", "signal", {"signal": WAVES[0, :, 0]}),
    ("corruptors.add_gaussian_noise", "signal", {"signal": np.arange(8).reshape(2, 4)}),
    ("corruptors.add_gaussian_noise", "stddev", {"stddev": [0.1] * 3}),
    ("corruptors.add_gaussian_noise", "tilt", {"tilt": np.nan}),
    ("corruptors.add_gaussian_noise", "tilt", {"tilt": 1e4}),
    ("corruptors.add_impulse_noise", "impulse_length", {"impulse_length": 3}),
    ("corruptors.add_impulse_noise", "impulse_size", {"impulse_size": None}),
    ("corruptors.add_gaussian_noise", "stddev", {"stddev": tf.constant(-1.0)}),
    ("corruptors.add_gaussian_noise", "seed", {"seed": tf.constant([1, 2, 3])}),
    ("corruptors.sample_and_hold", "signal", {"signal": LONG}),
    (
        "corruptors.sample_and_hold",
        "signal",
        {"signal": [np.timedelta64(3, "s")]},
    ),  # TensorFlow dies
    ("corruptors.sample_and_hold", "hold_length", {"hold_length": [1, 2, 3]}),
    ("corruptors.sample_and_hold", "hold_length", {"hold_length": tf.constant([0, 2])}),
    ("corruptors.noise", "stddev", {"stddev": (0, 0.1)}),  # has no logarithm
    ("corruptors.add_gaussian_noise", "signal", {"signal": WAVES * np.nan}),
    ("corruptors.add_gaussian_noise", "signal", {"signal": WAVES.astype(np.float64) * 1e200}),
    ("corruptors.sample_and_hold", "signal", {"signal": tf.constant(WAVES + np.inf)}),
    ("corruptors.add_gaussian_noise", r"signal \+ noise", {"signal": HALF, "stddev": 1e6}),
    (
        "corruptors.add_impulse_noise",
        r"signal \+ impulses",
        {"signal": HALF} | {"impulse_amplitude": 1e6, "impulse_rate": 1},
    ),
    ("datasets.take", "dataset", {"dataset": tf.data.Dataset.from_tensors(WAVES).repeat()}),
    ("datasets.take", "dataset", {"dataset": tf.data.Dataset.from_tensors((WAVES, WAVES))}),
    ("datasets.crops", "damage", {"damage": lambda clean, seed: np.asarray(clean)}),
    ("datasets.crops", "damage", {"damage": lambda clean, seed: None}),
    ("datasets.crops", r"damage\(...\)", {"damage": lambda clean, seed: clean * np.nan}),
    ("evaluation.score", "methods", {"methods": []}),
    ("evaluation.apply", r"method\(...\)", {"method": lambda x: None}),
    ("evaluation.seams", r"methods\['a'\]\(...\)", {"methods": {"a": lambda x: x[:5]}}),
    ("evaluation.corrupted_as", r"damage\(...\)", {"damage": lambda clean, seed: "x"}),
    ("evaluation.score_files", r"recordings\['a'\]", {"recordings": {"a": None}}),
    ("evaluation.score_files", r"measures\['x'\]\(...\)", {"measures": {"x": lambda a, b: 1.0}}),
    ("evaluation.score_files", r"measures\['x'\]\(...\)", {"measures": {"x": lambda a, b: None}}),
    ("evaluation.per_file", r"scores\['a'\]", {"scores": {"a": {"x": [1.0]}}}),
    ("evaluation.per_file", r"scores\['a'\]\['snr_db'\]", {"scores": {"a": {"snr_db": []}}}),
    ("evaluation.over_seeds", "scores", {"scores": [{"a": 1}, {"b": 1}]}),
    ("metrics.log_spectral_distance", "band", {"band": (0.001, 0.002)}),
    ("evaluation.table", "columns", {"columns": {"y": ("y, dB", ".1f")}}),
    ("evaluation.table", r"columns\['x'\]", {"columns": {"x": None}}),
    ("evaluation.table", r"columns\['x'\]", {"columns": {"x": ("x", "m", ".1f")}}),
    ("evaluation.table", r"columns\['x'\]", {"columns": {"x": ("x", "no format")}}),
    ("evaluation.table", r"columns\['x'\]", {"scores": {"a": {"x": [1.0]}}}),
    ("framing.Stream", "receptive_field", {"model": reaching(0, 0)}),
    ("framing.Stream", "receptive_field", {"model": reaching(0, -1, 1)}),
    ("framing.Stream", "receptive_field", {"model": reaching(0, 0, 0)}),
    ("framing.restore", r"model\(...\)", {"model": Answering(lambda x: x * np.nan)}),
    ("framing.restore", r"model\(...\)", {"model": Answering(lambda x: x * 1j)}),
    ("framing.overlap_add", r"model\(...\)", {"model": lambda x: x + np.inf}),
    ("framing.frame_by_frame", r"model\(...\)", {"model": lambda x: None}),
    ("limits.noise_error", "cycles", {"cycles": None}),
    ("limits.amplitude_posterior", "s", {"s": "x"}),
    ("limits.held_prior", "known", {"known": np.inf}),
    ("limits.mean_square", "bounds", {"bounds": (False, True)}),
    ("evaluation.worst", "clean", {"clean": WAVES, "estimate": WAVES}),
    ("metrics.mse", "reference", {"reference": [1e200], "estimate": [1.0]}),
    ("models.Choice", "count", {"count": True}),
    ("models.LinearExperts", "outputs", {"outputs": 0}),
    ("models.SpectralGain", "dilations", {"dilations": 3}),
    ("models.SpectralGain", "frame_length", {"frame_length": 15}),
    ("models.SpectralShares", "frame_length", {"frame_length": 20}),
    ("models.SpectralMask", "channels", {"channels": 2.5}),
    ("models.unet", "name", {"name": "a/b"}),
    ("models.save", "path", {"model": small_network(), "path": None}),
    ("models.save", "model", {"model": np.copy}),
    ("models.encoder_decoder", "channels", {"channels": ()}),
    ("models.encoder_decoder", "channels, kernel_sizes", {"kernel_sizes": (3,)}),
    ("models.denoiser", "frame_length", {"frame_length": 511}),
    ("models.denoiser", "network", {"gains": ((2**12, 4, (1,)), (510, 4, (1,)))}),
    ("models.denoiser", r"gains\[0\]\[1\]", {"gains": ((32, 0, (1,)),)}),
    ("models.interpolator", "hold_length", {"hold_length": 1}),
    ("models.mixture", "hold_length", {"hold_length": 0}),
    ("models.unrolled", "frame_length", {"frame_length": 255}),
    ("plotting.spectrograms", r"signals\['a'\]", {"signals": {"a": LONG[:50]}}),
    ("plotting.waveforms", "ax", {"ax": plt.figure().subplots(2)}),
    ("plotting.curves", r"series\['a'\]", {"series": {"a": [1, None]}}),
    ("plotting.curves", r"series\['a'\]", {"series": {"a": "ab"}}),
    ("plotting.training", r"levels\['limit'\]", {"levels": {"limit": -1}}),
    ("plotting.training", "second", {"records": {"a": {"second": None, "validation_mse": [1]}}}),
    ("plotting.maps", "x", {"x": [1, 1]}),
    ("plotting.maps", "y", {"y": [1, np.nan]}),
    ("plotting.examples", "rows", {"rows": {"one": 2}}),
    ("plotting.waveforms", "x and panels", {"x": np.arange(9)}),
    ("signals.sinusoid", "n_samples", {"n_samples": -3}),
    ("signals.sinusoid", "n_samples", {"n_samples": "8"}),
    ("signals.sinusoid", "n_samples", {"n_samples": 2.5}),
    ("signals.sinusoid", "cycles, amplitude, phase", {"phase": [0, 1, 2]}),
    ("signals.normal", "dtype", {"dtype": "x"}),
    ("signals.normal", "dtype", {"dtype": tf.int32}),
    ("signals.normal", "shape", {"shape": [2**20, 2**20]}),
    ("signals.draw_sinusoids", "seed", {"seed": 5}),
    ("signals.draw_sinusoids", "seed", {"seed": None}),
]


@pytest.mark.parametrize(("name", "blamed", "wrong"), NEARLY)
def test_what_is_nearly_right_is_refused_by_name(name, blamed, wrong):
    with pytest.raises(ValueError, match=f"^{blamed} must ") as error:
        CALLED[name](**USUAL[CALLED[name]] | wrong)
    assert "\n" not in str(error.value)


DAMAGES = {
    "noise": lambda: corruptors.noise(**HISS),
    "hold": lambda: corruptors.hold((2, 4)),
    "either": lambda: corruptors.either({damage: 1, corruptors.hold(2): 1}),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize(
    ("blamed", "wrong"),
    [("seed", 3), ("seed", None), ("seed", (1, 2, 3)), ("clean", "abc"), ("clean", LONG)],
)
def test_damage_looks_at_what_it_gets(name, blamed, wrong):
    usual = {"clean": WAVES[..., 0], "seed": (1, 2)}
    assert DAMAGES[name]()(**usual).shape == (2, 64)
    with pytest.raises(ValueError, match=f"^{blamed} must "):
        DAMAGES[name]()(**usual | {blamed: wrong})


@pytest.mark.parametrize("other", [lambda x, s: x[:, :5], lambda x, s: None, lambda x, s: 2 * x[0]])
def test_one_kind_of_damage_has_the_form_of_the_others(other):
    with pytest.raises(ValueError, match=r"^damage must give a tensor, float32 \(2, 64\)"):
        corruptors.either({damage: 1, other: 1})(WAVES[..., 0], (1, 2))


def test_what_works_in_place_harms_nobody():
    def silence(x):
        x[...] = 0
        return x

    def twice(x):
        return np.multiply(x, 2, out=x)

    both = {"one": silence, "same": np.copy}
    rows = evaluation.score_files(both, FILES, lambda clean, seed: 0.9 * clean, seed=1)
    np.testing.assert_allclose(rows["same"]["snr_db"], 20)
    assert evaluation.score(both, 0.9 * THREE, THREE)["same"]["snr_db"] == pytest.approx(20)
    model = Answering(twice)
    model.receptive_field = (8, 8, 1)
    np.testing.assert_array_equal(framing.restore(model, np.ones(30), chunk_length=5), 2)
    np.testing.assert_allclose(framing.overlap_add(twice, np.ones(30), frame_length=8), 2)


def test_good_arguments_of_other_kinds_are_taken():
    level = tf.Variable([0.5, 0.6])
    with tf.GradientTape() as tape:  # through what is drawn, or a variable
        wave = signals.sinusoid([3.0, 4.0], level, 0.0, 32)
        loss = tf.reduce_sum(corruptors.add_gaussian_noise(wave, level, seed=(1, 2)) ** 2)
    assert np.all(tape.gradient(loss, level) > 5)
    exact = corruptors.add_impulse_noise(np.ones((2, 4)), 1.0, 0.1, seed=(1, 2)).numpy()
    np.testing.assert_allclose(np.abs(exact - 1), 0.1, rtol=1e-12)
    assert limits.amplitude_posterior(np.array([0.1, 0.5]), 0.1, (0, 1), True)[0].shape == (2,)
    count, seed = tf.constant(3, tf.int8), tf.constant([1, 2], tf.uint8)
    assert signals.uniform((0, 1), count, seed).shape == 3
    assert audio.matches("a/b.wav", "*.wav")
    assert not audio.matches("b.flac", "*.wav")
    assert evaluation.table({"a|b": {"x": 10**400}}, {"x": ("x", "")}).count("|") == 10
    perfect = evaluation.over_seeds([{"snr_db": np.inf}, {"snr_db": np.inf}])
    assert perfect["snr_db"] == np.inf
    shape = tf.constant(WAVES).shape
    assert signals.normal(shape, np.array([1, 2])).shape == shape
    assert signals.normal(list(shape), (1, 2)).dtype == tf.float32
    low = tf.cast(WAVES, tf.bfloat16)
    assert corruptors.add_gaussian_noise(low, 0.1, seed=(1, 2**40)).dtype == tf.bfloat16
    assert corruptors.sample_and_hold(WAVES > 0, 3).dtype == tf.bool
    assert evaluation.group_means([1, 2, 3], ["b", "a", "b"]).tolist() == [2, 2]
    assert evaluation.table({2: {"x": 1.0}}, {"x": ("x", ".1f")}).endswith("| 2 | 1.0 |")
    assert evaluation.apply(np.copy, WAVES[..., 0]).shape == WAVES.shape[:2]
    assert list(audio.split(FILES, test={"c"})[2]) == ["c"]
    assert plotting.overview({"one": LINES["one"]}, {"a": LONG}, 8_000)
    assert plotting.overview({"one": {"_": TONE}}, {"a": LONG}, 8_000)  # a label that is not shown
    assert plotting.curves([1, 2], {"a": [1, np.inf]}, **NAMED)  # nothing there
    tilted = corruptors.add_gaussian_noise(HALF, 0.1, seed=(1, 2), tilt=-3.0)
    assert tilted.dtype == tf.float16
    perfect = evaluation.per_file({"a": {"snr_db": [np.inf, 1.0]}})["a"]
    assert (perfect["worst_db"], perfect["snr_db"]) == (1.0, np.inf)
    values = {1: {"x": Decimal("2.5")}, 2: {"x": np.array(1.0)}}
    assert evaluation.table(values, {"x": ("x", ".1f")}).endswith("| 2 | 1.0 |\n| 1 | 2.5 |")
    odd = {"a": {"x": None}, "b": {"x": np.nan}, "c": {"x": "most"}, "d": {"x": 1.0}}
    rows = evaluation.table(odd, {"x": ("x", ".1f")}).splitlines()
    assert rows[2:] == ["| d | 1.0 |", "| a |  |", "| b | nan |", "| c | most |"]
    plt.close("all")
    with pytest.raises(TypeError, match="sample_rat"):
        models.unet(stem=4, channels=(4,), sample_rat=8_000)


def test_few_samples_a_second_have_a_spectrogram():
    assert answered("plotting.spectrograms", {"signals": {"a": LONG}, "sample_rate": 10})


def answered(name, arguments):
    """Whether there is a result; what is made to be called or iterated is."""
    function = CALLED[name]
    options = dict(arguments)
    if name in ("framing.restore", "framing.pieces", "framing.Stream"):
        options["model"] = Plain() if options["model"] is SAME["same"] else options["model"]
    names = [
        *inspect.signature(function).parameters,
        "frame_length",
        "network",
    ]
    names += [
        r"\w+ and \w+( and \w+)*",
        r"\w+(\[.*\])?\(\.\.\.\)",
        "channels, kernel_sizes",
        "cycles, amplitude, phase",
        r"\(window_length / 2\)\^polyorder",
        "bounds",
        "samples",
    ]
    found = outcome(names, function, **options)
    if name in ("corruptors.noise", "corruptors.hold", "corruptors.either") and found:
        found = outcome(["damage"], found, WAVES[..., 0], (1, 2))
    if name.startswith("datasets.") and name != "datasets.take" and found:
        found = next(iter(found))
    if name == "framing.pieces" and found:
        found = outcome(names, list, found)
    plt.close("all")
    return found is not None

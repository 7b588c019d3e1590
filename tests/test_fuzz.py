"""Whatever comes, there is a result, or one clear line that begins with the argument's name."""

import io
import os
import re
import struct
import subprocess
import sys
from fractions import Fraction
from numbers import Real
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from keras import layers

import recon
from recon import audio, checks, corruptors, datasets, framing, models

ROOT = Path(__file__).resolve().parent.parent
HUGE = 10**400  # an int that no float holds


def few(count):
    """The same few examples in every run."""
    skipped = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        suppress_health_check=skipped,
        phases=[Phase.explicit, Phase.generate],
    )


def outcome(names, function, *arguments, **options):
    """What a function returns; None where it refuses in one line about one of its arguments."""
    try:
        return function(*arguments, **options)
    except ValueError as error:
        refused = error
    said = str(refused)
    assert type(refused) is ValueError or type(refused).__module__.startswith("recon"), refused
    assert re.match(rf"({'|'.join(names)})(\[.*\])? must ", said), said
    assert "\n" not in said, said
    return None


def small_network(**about):
    """One that turns its input over."""
    signal = keras.Input((None, 1))
    x = layers.Conv1D(1, 3, padding="same", use_bias=False)(signal)
    network = models.Network(signal, x, **about)
    network.set_weights([np.reshape([0, -1, 0], (3, 1, 1))])
    return network


@pytest.fixture(scope="module")
def network():
    return small_network(sample_rate=8_000)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# What may come in place of anything.
NUMBERS = (
    st.integers(-3, 10)
    | st.floats()
    | st.sampled_from([HUGE, -HUGE, Fraction(1, 3), Fraction(HUGE), True, 2**63, 8_000, 3j, 1e39])
    | st.sampled_from([np.int8(3), np.uint64(2**64 - 1), np.float16(0.5), np.longdouble(2)])
    | st.sampled_from([np.array(3), np.array(0.5), np.array(np.nan), np.bool_(True)])
    | st.sampled_from([np.timedelta64(3, "s"), np.datetime64("2020"), np.complex64(1)])
)
OTHERS = (
    st.none()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.sampled_from(["3", "a\nb", {}, {1: 2}, {0, 1}, object, len, Path("x"), range(2)])
    | st.sampled_from([np.arange(2), np.zeros(0), np.zeros((40, 40)), np.array(["a\nb"])])
    | st.builds(iter, st.lists(st.integers(0, 2), max_size=3))
)
ENDS = st.tuples(NUMBERS, NUMBERS) | st.lists(NUMBERS | OTHERS, max_size=3)
ANYTHING = NUMBERS | OTHERS | ENDS
KINDS = ["f2", "f4", "f8", "g", "i1", "i8", "u8", "?", "c8", "O", "U3", "S2", "M8[s]", "m8[s]"]


@st.composite
def arrays(draw):
    """Arrays of any type and up to four axes, some values far off."""
    shape = draw(st.lists(st.sampled_from([0, 1, 2, 3, 70, 100]), max_size=4))
    shape = shape if np.prod(shape, dtype=int) <= 10_000 else shape[:1]
    with np.errstate(all="ignore"):
        array = np.random.default_rng(0).integers(0, 9, shape).astype(draw(st.sampled_from(KINDS)))
        odd = draw(st.sampled_from([None, None, np.nan, np.inf, 3e38, 1e300, 6e4, 1e-320]))
        if odd is not None and array.dtype.kind == "f" and array.size:
            array.flat[draw(st.integers(0, array.size - 1))] = odd
    how = draw(st.sampled_from([np.asarray, np.ndarray.tolist, np.ma.masked_array, np.transpose]))
    return how(array)


NESTED = st.recursive(NUMBERS | st.none(), lambda inner: st.lists(inner, max_size=3), max_leaves=6)
SIGNALS = arrays() | NESTED | OTHERS
RIGHT = arrays().filter(lambda x: isinstance(x, np.ndarray) and x.ndim == 1 and x.dtype.kind == "f")


# Checks.


@given(ANYTHING, ENDS | ANYTHING, st.booleans(), st.sampled_from([-np.inf, 0]), st.booleans())
@few(200)
@example(HUGE, (0, HUGE), False, 0, False)
@example(np.timedelta64(3, "s"), [np.timedelta64(1, "s")] * 2, False, 0, False)
@example(np.zeros((40, 40)), np.zeros((2, 2)), False, 0, False)
def test_a_number_and_a_pair_obey_their_rule_or_are_refused(value, bounds, whole, low, bounded):
    rule = {"low": low, "high": 5 if bounded else np.inf, "whole": whole}
    kind = int if whole else float
    number = outcome(["x"], checks.number, "x", value, **rule)
    pair = outcome(["x"], checks.pair, "x", bounds, **rule)
    for found in ([] if number is None else [number]) + list(pair or ()):
        assert type(found) is kind
        assert low <= found <= rule["high"]
        assert np.isfinite(float(found))
    assert pair is None or (len(pair) == 2 and pair[0] <= pair[1])


@given(SIGNALS, st.sampled_from([np.float32, np.float64]), st.booleans())
@few(200)
@example([[1], [1, 2]], np.float32, True)
@example([HUGE, 1.0], np.float32, True)
def test_samples_are_finite_reals_or_are_refused(signal, dtype, empty):
    found = outcome(["x"], checks.samples, "x", signal, dtype, empty=empty)
    if found is not None:
        assert found.dtype == dtype
        assert found.ndim
        assert np.isfinite(found).all()


# Arrays.


def endless(rate):
    """Whether the conversion of a rate would not end; see the test of it below."""
    try:
        return checks.number("rate", rate) > 1e9
    except (TypeError, ValueError, OverflowError):
        return True


@given(data=st.data())
@few(150)
def test_restore_takes_any_arguments_or_names_the_wrong_one(network, data):
    usual = {"samples": np.ones(50), "sample_rate": 8_000, "network": network, "mix": 0.5}
    rates = st.sampled_from([1, 7_999, 16_000, 1e9]) | ANYTHING
    networks = st.text(max_size=5).map("{}.keras".format) | ANYTHING
    given = {"samples": SIGNALS, "sample_rate": rates, "mix": ANYTHING, "network": networks}
    names = data.draw(st.sets(st.sampled_from(sorted(given)), min_size=1, max_size=2), "wrong")
    given = usual | {name: data.draw(given[name], name) for name in sorted(names)}
    samples, rate = given.pop("samples"), given.pop("sample_rate")
    resample = data.draw(st.booleans(), "resample") and not endless(rate)
    restored = outcome(usual, recon.restore, samples, rate, resample=resample, **given)
    if restored is not None:
        assert restored.shape == np.shape(samples)
        assert restored.dtype == np.float32
        assert np.isfinite(restored).all()


@pytest.mark.parametrize("path", ["\0.keras", "x" * 300, f"{'x' * 300}.keras", "\ud800.keras"])
def test_a_name_that_no_file_can_have_is_no_network(path):
    assert outcome(["network"], recon.restore, np.ones(9), 8_000, network=path) is None


def test_what_is_no_network_is_said_to_be_what_it_is():
    with pytest.raises(ValueError, match="^network must .*, got .*17"):
        recon.restore(np.ones(9), 8_000, network=17)


@pytest.mark.parametrize("level", [1e37, 3e38])
def test_the_loudest_samples_are_restored_or_the_right_argument_is_blamed(network, level):
    loud = np.float32(level) * np.sin(np.arange(100, dtype=np.float32))
    restored = outcome(["samples", "network"], recon.restore, loud, 8_000, network=network)
    assert restored is None or np.isfinite(restored).all()


@given(SIGNALS, st.sampled_from([2, 4, 6]) | ANYTHING)
@few(100)
def test_upsample_takes_any_arguments_or_names_the_wrong_one(network, samples, factor):
    holds = {f"hold_{length}": {} for length in (2, 4, 6)}
    with pytest.MonkeyPatch.context() as patch:  # as if these shipped
        patch.setattr(recon, "networks", lambda: holds)
        patch.setattr(recon, "load", lambda name: network)
        finer = outcome(["samples", "factor"], recon.upsample, samples, factor)
    if finer is not None:
        assert len(finer) == int(factor) * len(samples)
        assert np.isfinite(finer).all()


def in_a_fresh_process(code, folder, seconds=60):
    """What a piece of code says; it may neither crash nor hang."""
    code = "import os, numpy as np, soundfile, recon\n" + code
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", STAND_IN + code]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds
    )


STAND_IN = """
class Network:  # without Keras, which takes seconds to import
    sample_rate, hold_length, name, receptive_field = (1, 1e300), None, "plain", (0, 0, 1)
    __call__ = staticmethod(lambda x: x)
network = Network()
"""


def test_a_rate_that_no_recording_has_is_refused_and_does_not_hang(tmp_path):
    code = "network.sample_rate = 8_000\n"
    code += "recon.restore(np.ones(9), 1e15, network=network, resample=True)"
    try:
        done = in_a_fresh_process(code, tmp_path, seconds=8)
    except subprocess.TimeoutExpired:
        pytest.fail("it hangs")
    assert done.stderr.splitlines()[-1].startswith("ValueError: sample_rate must ")


@pytest.mark.parametrize(("rate", "channels"), [(264_600, 1), (8_000, 256)])
def test_what_vorbis_cannot_hold_is_refused_and_does_not_crash(tmp_path, rate, channels):
    """As a recording of 44.1 kHz at six times its rate would be."""
    code = f"soundfile.write('in.wav', np.zeros((500, {channels})), {rate})\n"
    code += "recon.restore_file('in.wav', 'out.ogg', network=network)"
    done = in_a_fresh_process(code, tmp_path)
    assert done.returncode == 1, f"it ended by signal {-done.returncode}"
    assert "ValueError: output must " in done.stderr.splitlines()[-1]
    assert os.listdir(tmp_path) == ["in.wav"]


@pytest.mark.parametrize("level", [1e20, 3e38])
def test_floats_far_beyond_full_scale_do_not_crash_the_mp3_encoder(tmp_path, level):
    code = f"x = np.zeros(500, np.float32); x[70] = {level}\n"
    code += "soundfile.write('in.wav', x, 8_000, subtype='FLOAT')\n"
    code += "recon.restore_file('in.wav', 'out.mp3', network=network)"
    done = in_a_fresh_process(code, tmp_path)
    assert done.returncode in (0, 1), f"it ended by signal {-done.returncode}"
    left = ["in.wav"] if done.returncode else ["in.wav", "out.mp3"]
    assert sorted(os.listdir(tmp_path)) == left


@pytest.mark.slow
@pytest.mark.parametrize("name", ["batch_size", "n_samples"])
def test_a_size_beyond_all_memory_is_refused_and_does_not_crash(tmp_path, name):
    code = "from recon import datasets\n"
    code += "how = {'batch_size': 2, 'n_samples': 16, 'seed': 1, 'cycles': (0, 0)}\n"
    code += f"datasets.noise_reduction(**how | {{'{name}': 2**62}})"
    done = in_a_fresh_process(code, tmp_path)
    assert done.returncode == 1, f"it ended by signal {-done.returncode}"
    assert done.stderr.splitlines()[-1].startswith(f"ValueError: {name} must ")


def test_a_corpus_that_does_not_fit_on_the_disk_is_said(tmp_path):
    code = "import resource; from recon import audio; os.mkdir('in')\n"
    code += "for i in range(3): soundfile.write(f'in/{i}.wav', np.sin(np.arange(9_000)), 8_000)\n"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000,) * 2); audio.load('in')"
    done = in_a_fresh_process(code, tmp_path)
    assert done.stderr.splitlines()[-1].startswith("ValueError: folder must fit ")


# Chunks and streams.


@given(SIGNALS, NUMBERS.filter(lambda x: x != 1) | OTHERS)
@few(100)
def test_chunks_of_anything_are_restored_or_refused(network, signal, chunk_length):
    for length in (chunk_length, 40):
        names = ["signal", "chunk_length"]
        restored = outcome(names, framing.restore, network, signal, chunk_length=length)
        if restored is not None:
            assert restored.shape == np.shape(signal)
            assert np.isfinite(restored).all()


@given(st.lists(SIGNALS, max_size=3), RIGHT)
@few(100)
def test_a_stream_is_as_it_was_after_a_push_that_is_refused(network, pushes, right):
    stream, taken, parts = framing.Stream(network), [], []
    for samples in [*pushes, right]:
        part = outcome(["samples"], stream.push, samples)
        if part is not None:
            taken.append(np.asarray(samples))
            parts.append(part)
    restored = [*parts, stream.flush()]
    assert sum(map(len, restored)) == sum(map(len, taken))
    if taken:
        np.testing.assert_array_equal(
            np.concatenate(restored), -np.concatenate([x.astype(np.float32) for x in taken])
        )


@given(ANYTHING)
@few(50)
def test_what_is_no_model_is_refused(model):
    assert outcome(["model"], framing.Stream, model) is None


# Data.


def first(names, build, *arguments, **options):
    """The first batch of a pipeline, finite, or None where its description is refused."""
    pipeline = outcome(names, build, *arguments, **options)
    if pipeline is None:
        return None
    corrupted, clean = next(iter(pipeline))
    assert corrupted.shape == clean.shape
    assert np.isfinite(corrupted).all()
    assert np.isfinite(clean).all()
    return corrupted.shape


RANGES = st.sampled_from([(0, 1), [0.5, 0.5], np.array([0, 0.5]), (1, 0), (1e39, 1e39)]) | ENDS
RANGES |= st.sampled_from([(0, 3e38), (-3e38, 3e38), np.array([1, 2], np.uint8)]) | ANYTHING
SIZES = (st.integers(-1, 20) | ANYTHING).filter(  # what needs more memory than there is comes apart
    lambda size: not isinstance(size, float | np.generic) or not 300 < size < np.inf
)
SEEDS = st.sampled_from([0, -(2**63), 2**63 - 1, 2**63, np.arange(2), np.uint64(3)]) | ANYTHING
WAVES = {"n_samples": SIZES, "cycles": RANGES, "amplitude": RANGES, "phase": RANGES}
PIPELINES = {
    "noise_reduction": {"stddev": RANGES, "impulse_rate": RANGES, "impulse_amplitude": RANGES},
    "inverse_quantization": {"hold_length": SIZES | RANGES},
}


@pytest.mark.slow
@pytest.mark.parametrize("task", PIPELINES)
@given(data=st.data())
@few(80)
def test_any_description_gives_finite_data_or_is_refused(task, data):
    given = WAVES | PIPELINES[task] | {"seed": SEEDS, "batch_size": SIZES}
    given = {name: values.filter(not_too_large) for name, values in given.items()}
    names = data.draw(st.sets(st.sampled_from(sorted(given)), min_size=1, max_size=2), "wrong")
    drawn = {name: data.draw(given[name], name) for name in sorted(names)}
    usual = {"batch_size": 2, "seed": 1, "n_samples": 16, "cycles": (0, 1)}
    shape = first(given, getattr(datasets, task), **usual | drawn)
    asked = usual | drawn
    assert shape is None or tuple(shape) == (asked["batch_size"], asked["n_samples"], 1)


def not_too_large(value):
    """What would take all memory is left out: whether it is refused is the machine's matter."""
    try:
        numbers = [x for x in np.ravel(value).tolist() if isinstance(x, Real)]
        return all(abs(int(x)) <= 300 or abs(x) >= 2**65 for x in numbers)
    except (TypeError, ValueError, OverflowError):
        return True


@pytest.mark.parametrize(
    ("task", "name", "value"),
    [
        ("noise_reduction", "amplitude", (1e39, 1e39)),
        ("noise_reduction", "phase", (1e39, 1e39)),
        ("noise_reduction", "phase", (-3e38, 3e38)),
        ("noise_reduction", "stddev", (3e38, 3e38)),
        ("noise_reduction", "stddev", (1e39, 1e39)),
        ("noise_reduction", "impulse_amplitude", 1e39),
        ("noise_reduction", "impulse_amplitude", (0.1, 0.2)),
        ("noise_reduction", "impulse_amplitude", []),
        ("noise_reduction", "impulse_amplitude", Fraction(1, 2)),
        ("noise_reduction", "seed", HUGE),
        ("noise_reduction", "n_samples", 2**63),
        ("noise_reduction", "batch_size", 2**63),
        ("inverse_quantization", "hold_length", 2**31),
        ("inverse_quantization", "hold_length", 2**40),
        ("inverse_quantization", "hold_length", (1, 2**31 - 1)),
        ("inverse_quantization", "hold_length", (2**31, 2**31)),
    ],
)
def test_numbers_that_float32_or_int32_do_not_hold_are_said(task, name, value):
    usual = {"batch_size": 2, "seed": 1, "n_samples": 16, "cycles": (0, 1)}
    first([name], getattr(datasets, task), **usual | {name: value})


TONE = np.sin(np.arange(40)).astype(np.float32)
CORPORA = st.sampled_from([{"a/x": TONE, "b/y": TONE[:5]}, {"a/x": TONE.astype(">f8")}])
ODD = {"none": {}, "list": {"a": [1.0]}, "ragged": {"a": [[1], [1, 2]]}, "int": {"a": np.arange(9)}}
ODD |= {
    "text": {"a": "x"},
    "nan": {"a/x": np.full(9, np.nan)},
    "name": {3: TONE},
    "none given": None,
}
ODD |= {"huge": {"a/x": np.full(40, 1e300)}, "array": np.ones((2, 40), np.float32), "long": [TONE]}
SHARES = st.sampled_from([{"a": 1}, {"a": 1, "b": 0.5}, {"a": 0}, {"a": HUGE}, {"a": 1e300}, {}])
SHARES |= st.sampled_from([{"a/": 1}, {3: 1}, {"a": np.float32(1)}, {"c": 1}, {None: 1}, ["a"]])


@pytest.mark.slow
@given(data=st.data())
@few(60)
def test_crops_of_anything_are_finite_or_are_refused(data):
    given = {
        "recordings": st.sampled_from(sorted(ODD)).map(ODD.get) | CORPORA,
        "weights": SHARES | ANYTHING,
        "gain": st.sampled_from([(0.1, 10), (0, 1), (1e-31, 1), (1, 1e38), (1, 1e39)]) | RANGES,
        "damage": st.sampled_from([None, 3, "hold", {}]),
        "n_samples": SIZES.filter(not_too_large),
        "batch_size": SIZES.filter(not_too_large),
        "seed": SEEDS,
    }
    names = data.draw(st.sets(st.sampled_from(sorted(given)), min_size=1, max_size=2), "wrong")
    drawn = {name: data.draw(given[name], name) for name in sorted(names)}
    usual = {"recordings": {"a/x": TONE, "b/y": TONE}, "batch_size": 2, "seed": 1, "n_samples": 16}
    asked = usual | {"damage": corruptors.hold(2)} | drawn
    shape = first(given, datasets.crops, **asked)
    assert shape is None or tuple(shape) == (asked["batch_size"], asked["n_samples"], 1)


@pytest.mark.parametrize(
    "wrong",
    [{"recordings": value} for value in ODD.values()]
    + [{"weights": value} for value in ({"a": 0}, {}, {"a": HUGE}, {3: 1}, ["a"], "a", 1)]
    + [{"damage": value} for value in (None, 3)]
    + [{"gain": value} for value in ((0, 1), (1e-31, 1), (1, 1e39), HUGE, (1, HUGE))],
    ids=lambda wrong: next(iter(wrong)),
)
def test_crops_of_what_is_odd_are_finite_or_are_refused_by_name(wrong):
    usual = {"recordings": {"a/x": TONE}, "batch_size": 2, "seed": 1, "n_samples": 16}
    first([*wrong], datasets.crops, **usual | {"damage": corruptors.hold(2)} | wrong)


# Files.

FORMS = [("wav", "PCM_16", 1), ("wav", "PCM_16", 3), ("wav", "FLOAT", 2), ("wav", "PCM_24", 2)]
FORMS += [("flac", "PCM_16", 2), ("ogg", "VORBIS", 1), ("aiff", "PCM_16", 2), ("w64", "PCM_16", 1)]
FORMS += [("rf64", "PCM_16", 1), ("aiff", "PCM_S8", 1), ("mp3", "MPEG_LAYER_III", 1)]
FORMS += [("wav", "PCM_U8", 1), ("au", "ULAW", 1), ("caf", "PCM_16", 1)]
HEADERS = [b"RIFF", b"ds64", b"data", b"fmt ", b"FORM", b"SSND", b"COMM", b"desc", b".snd"]
LENGTHS = st.sampled_from([0, 1, 999, 1_001, 0x7FFFF000, 2**31 - 1, 2**31, 2**32 - 1])
LENGTHS |= st.integers(0, 2**32 - 1)


def recording(suffix, subtype, channels):
    """The bytes of a good file."""
    file, signal = io.BytesIO(), np.random.default_rng(0).normal(size=(501, channels)) / 10
    soundfile.write(file, signal, 8_000, format=suffix.upper(), subtype=subtype)
    return file.getvalue()


@st.composite
def changed(draw, content):
    """The bytes of a file with some of them other than they were, most of them early."""
    content = bytearray(content)
    for _ in range(draw(st.integers(0, 3))):
        end = draw(st.sampled_from([12, 60, 120, len(content)]))
        at = draw(st.integers(0, max(0, min(end, len(content)) - 1)))
        what = draw(st.sampled_from(["flip", "insert", "delete", "cut", "size", "size", "float"]))
        if what == "flip":
            content[at : at + 1] = [draw(st.integers(0, 255))]
        elif what == "insert":
            content[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif what == "delete":
            del content[at : at + draw(st.integers(1, 8))]
        elif what == "cut":
            del content[at:]
        elif what == "float":
            value = draw(st.sampled_from([3e38, -3e38, 1e20, 1e-45, np.nan, np.inf]))
            content[at : at + 4] = struct.pack("<f", value)
        else:
            chunks = [name for name in HEADERS if name in content]
            at = content.find(draw(st.sampled_from(chunks))) + 4 if chunks else at
            order = draw(st.sampled_from("<>"))
            content[at : at + 4] = struct.pack(order + "I", draw(LENGTHS))
    return bytes(content)


FILES = st.sampled_from(FORMS).flatmap(
    lambda form: st.tuples(st.just(form[0]), changed(recording(*form)))
)
FILES |= st.tuples(st.sampled_from(["wav", "flac", "ogg", "mp3", "aiff"]), st.binary(max_size=80))
TARGETS = st.sampled_from(["out.wav", "out.flac", "out.ogg", "out.aiff", "out.w64", "out.mp3"])
TARGETS |= st.sampled_from(["out.caf", "out.au", "out", "out.", ".wav", "OUT.WAV", "out.raw"])


def restored_file(network, content, suffix, output, **options):
    """Restore the bytes of a file and compare the folder before and after."""
    source = Path(f"in.{suffix}")
    source.write_bytes(content)
    names = ["input", "output", "samples", "subtype", "sample_rate", "mix", "network"]
    said = outcome(names, recon.restore_file, source, output, network=network, **options)
    target = Path(os.fsdecode(output)) if said is not None else None
    left = {path for path in Path().rglob("*") if path.is_file()}
    assert left == ({source} if said is None else {source, target})
    if said is not None:
        assert "\n" not in said
        with audio.reading(source, partial=options.get("partial", False)) as file:
            name = os.fsencode(target)  # which may not be UTF-8
            assert soundfile.info(name).frames == len(soundfile.read(name)[0]) == file.frames
            assert soundfile.info(name).samplerate == file.samplerate
        target.unlink()
    source.unlink()
    return said


@pytest.mark.slow
@given(FILES, TARGETS, st.booleans(), st.sampled_from([None, None, None, "FLOAT"]), st.booleans())
@few(400)
def test_any_file_is_restored_or_refused(place, network, file, output, resample, subtype, partial):
    suffix, content = file
    how = {"resample": resample, "subtype": subtype, "partial": partial}
    restored_file(network, content, suffix, output, **how)


NAMES = st.text(max_size=6) | st.sampled_from(
    ["\0", "a\nb", "x" * 300, "\ud800", "\udcff", "no/x", ".", "/"]
)
PATHS = st.tuples(NAMES, st.sampled_from(["", ".wav", ".flac", ".\0", ".wav.", ".sd2", ".WAVEX"]))


@given(PATHS.map("".join) | ANYTHING, ANYTHING)
@few(150)
def test_any_output_name_and_subtype_are_used_or_refused(place, network, output, subtype):
    if isinstance(output, str) and (output.startswith("/") or "/" in output):
        output = "no" + output
    content = recording("wav", "PCM_16", 1)
    restored_file(network, content, "wav", output)
    restored_file(network, content, "wav", "out.wav", subtype=subtype)


@given(PATHS.map("".join) | ANYTHING)
@few(100)
def test_any_input_name_is_refused_where_there_is_no_such_file(place, network, path):
    assert outcome(["input"], recon.restore_file, path, "out.wav", network=network) is None
    assert not list(place.iterdir())


@pytest.mark.parametrize("name", ["out.flac", "out.wav", "out.ogg"])
@pytest.mark.parametrize("mix", [0.5, 1])
def test_floats_far_beyond_full_scale_are_restored_or_refused(place, network, name, mix):
    soundfile.write("in.wav", np.full(501, 3e38), 8_000, subtype="FLOAT")
    restored_file(network, Path("in.wav").read_bytes(), "wav", name, mix=mix)


@pytest.mark.parametrize("kind", sorted(soundfile.available_formats()))
def test_what_is_written_in_any_format_can_be_read_and_is_all_there_is(place, network, kind):
    """A format may want a second file beside its own, as SD2 does."""
    output = f"out.{kind.lower()}"
    said = restored_file(network, recording("w64", "PCM_16", 1), "w64", output)
    assert said or kind in ("RAW", "SD2", "SDS", "XI")  # these change the last samples, or the rate

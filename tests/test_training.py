"""Training: what is kept, what goes on after a kill, and what begins anew."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from test_models import assert_joins, waves

import recon
from recon import datasets, training

pipeline = partial(datasets.noise_reduction, n_samples=32, cycles=(1, 4))
VALIDATION = datasets.take(pipeline(64, seed=2), 64)
SETTINGS = {"steps": 43, "validations": 4, "learning_rate": 1e-2}
SETTINGS |= {"jit_compile": False}  # XLA takes longer to compile than the steps take
CURVES = ("step", "loss", "validation_loss", "validation_mse")


def network(seed=1, filters=4, dropout=0.0):
    if seed:
        keras.utils.set_random_seed(seed)
    signal = keras.Input((None, 1))
    x = layers.Conv1D(filters, 5, padding="same", activation="relu")(signal)
    x = layers.Dropout(dropout)(x)
    return keras.Model(signal, layers.Conv1D(1, 5, padding="same")(x), name="small")


def fit(path, model=None, train=None, validation=VALIDATION, **settings):
    model, train = model or network(), train or pipeline(16, seed=1)
    return model, training.fit(model, train, validation, path=path, **SETTINGS | settings)


def error(model):
    corrupted, clean = VALIDATION
    return float(np.mean((np.asarray(model(corrupted)) - clean) ** 2))


def assert_same(one, two):
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class Steps(keras.callbacks.Callback):
    """Counts the steps of a run. Before one of them it calls `act` with the model."""

    def __init__(self, at=-1, act=None):
        super().__init__()
        self.at, self.act, self.count = at, act, 0

    def on_train_batch_begin(self, batch, logs=None):
        if self.model.optimizer.iterations == self.at:
            self.act(self.model)
        self.count += 1


def interrupt(model):
    raise InterruptedError


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupts: (model, record, path)."""
    path = tmp_path_factory.mktemp("whole") / "a" / "small.keras"
    return *fit(path), path


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """The path of a run that was interrupted when two of four rounds were done."""
    path = tmp_path_factory.mktemp("cut") / "small.keras"
    with pytest.raises(InterruptedError):
        fit(path, callbacks=[Steps(25, interrupt)])
    return path


def test_the_normalised_loss_is_its_formula():
    clean, error = np.random.default_rng(0).normal(size=(2, 3, 20, 1)).astype(np.float32)
    loss = np.asarray(training.log_mean_squared_error(clean, clean + error))
    np.testing.assert_allclose(loss, np.log(np.mean(error**2, axis=(1, 2))), rtol=1e-4)
    tenth = np.asarray(training.log_mean_squared_error(clean, clean + 0.1 * error))
    np.testing.assert_allclose(loss - tenth, np.log(100), rtol=1e-3)


def test_fitting_lowers_the_error_and_leaves_a_record(whole):
    model, record, path = whole
    assert record["step"] == [11, 22, 33, 43]
    assert record["loss"][-1] < record["loss"][0]
    assert record["validation_mse"][-1] < 0.8 * error(network())
    assert record["parameters"] == model.count_params()
    assert record["seconds"] == record["second"][-1] > 0
    assert json.loads(json.dumps(record)) == record
    assert {file.name for file in path.parent.iterdir()} == {"small.keras", "small.keras.state"}


@pytest.mark.slow
@pytest.mark.parametrize("ema_momentum", [0.0, 0.5])
def test_model_and_file_hold_the_best_weights(tmp_path, ema_momentum):
    worse = keras.optimizers.schedules.PiecewiseConstantDecay([22], [1e-2, 1.0])
    path = tmp_path / "small.keras"
    model, record = fit(path, learning_rate=worse, ema_momentum=ema_momentum)
    best = int(np.argmin(record["validation_mse"]))
    assert record["step"][best] <= 22
    for holder in (model, recon.load(path)):
        assert error(holder) == pytest.approx(record["validation_mse"][best], rel=1e-4)


@pytest.mark.slow
def test_averaged_weights_are_scored_and_do_not_change_the_training(tmp_path, whole):
    _, record = fit(tmp_path / "small.keras", ema_momentum=0.9)
    assert record["loss"] == pytest.approx(whole[1]["loss"], rel=1e-5)
    assert record["validation_mse"][0] > 1.01 * whole[1]["validation_mse"][0]  # they lag behind


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_with_the_best_so_far(tmp_path):
    def spoil(model):
        model.set_weights([np.nan * weights for weights in model.get_weights()])

    path = tmp_path / "small.keras"
    model, record = fit(path, callbacks=[Steps(25, spoil)])
    assert record["step"] == [11, 22]
    for holder in (model, recon.load(path)):
        assert error(holder) == pytest.approx(min(record["validation_mse"]), rel=1e-4)


def killed(path, seed, at, writing):
    """A run with random dropout and averaged weights, whose process ends as by a power cut.

    Args:
        path: of the run.
        seed: of the first weights.
        at: step before which the process ends.
        writing: whether it ends only when the state is next moved into place.
    """
    move = os.replace

    def kill(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def kill_later(model):
        os.replace = lambda one, two: (kill if str(two).endswith(".state") else move)(one, two)

    fit(
        path,
        network(seed, dropout=0.3),
        ema_momentum=0.9,
        callbacks=[Steps(at, kill_later if writing else kill)],
    )


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_bit_equal(tmp_path):
    """Each process has first weights of its own: only the first one's count."""
    path, count = tmp_path / "small.keras", Steps()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["..", *sys.path])}
    for arguments in ((1, 15, True), (4, 25, False), (2, 40, False)):
        code = f"import test_training; test_training.killed{(str(path), *arguments)}"
        command, folder = [sys.executable, "-c", code], Path(__file__).parent
        run = subprocess.run(command, cwd=folder, env=environment, stderr=subprocess.PIPE)
        assert run.returncode == -signal.SIGKILL, run.stderr.decode()
    options = {"ema_momentum": 0.9, "callbacks": [count]}
    model, record = fit(path, network(3, dropout=0.3), **options)
    assert count.count == 10
    expected, uninterrupted = fit(tmp_path / "other.keras", network(1, dropout=0.3), **options)
    for holder in (model, recon.load(path)):
        assert_same(holder, expected)
    assert [record[curve] for curve in CURVES] == [uninterrupted[curve] for curve in CURVES]


def test_a_finished_run_is_found_whatever_the_first_weights(whole):
    model, record, path = whole
    for lost in (False, True):
        path.unlink() if lost else None
        found, same = fit(path, network(seed=9), callbacks=[Steps(0, interrupt)])
        assert same == record
        for holder in (found, recon.load(path)):
            assert_same(holder, model)


def test_an_interrupted_run_goes_on_whatever_the_first_weights(cut, capsys):
    count = Steps(22, interrupt)
    with pytest.raises(InterruptedError):
        fit(cut, network(seed=9), callbacks=[count])
    assert count.count == 0
    assert "another run" not in capsys.readouterr().out


CHANGES = {
    "learning_rate": {"learning_rate": 2e-2},
    "schedule": {"learning_rate": keras.optimizers.schedules.CosineDecay(1e-2, 43)},
    "steps": {"steps": 80},
    "validations": {"validations": 2},
    "ema_momentum": {"ema_momentum": 0.9},
    "loss": {"loss": "mean_absolute_error"},
    "loss of Keras": {"loss": keras.losses.Huber()},
    "layers": {"model": network(filters=5)},
    "dropout": {"model": network(dropout=0.1)},
    "train": {"train": pipeline(16, seed=3)},
    "validation": {"validation": datasets.take(pipeline(64, seed=3), 64)},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_run_to_the_same_path_begins_anew(cut, change, capsys):
    with pytest.raises(InterruptedError):
        fit(cut, callbacks=[Steps(0, interrupt)], **change)
    assert "another run" in capsys.readouterr().out


@pytest.mark.slow
def test_the_same_model_fitted_to_another_path_is_trained_on(tmp_path, whole):
    model, _ = fit(whole[2])
    before, path = error(model), tmp_path / "further.keras"
    _, record = fit(path, model, learning_rate=1e-4, train=pipeline(16, seed=3))
    assert record["validation_mse"][0] == pytest.approx(before, rel=0.05)
    assert error(model) != before
    assert_same(recon.load(whole[2]), whole[0])  # the first run's network stays


@pytest.mark.slow
def test_each_seed_is_the_run_that_it_would_be_alone(tmp_path, whole):
    build, data, path = partial(network, None), partial(pipeline, 16), tmp_path / "net_{seed}.keras"
    options = {"seeds": [5, 1], "path": path} | SETTINGS
    networks, records = training.fit_seeds(build, data, VALIDATION, **options)
    assert {path.name for path in tmp_path.glob("*.keras")} == {"net_1.keras", "net_5.keras"}
    assert_same(networks[1], whole[0])
    assert records[1]["loss"] == whole[1]["loss"] != records[0]["loss"]


def textbook_unet():
    """As anyone would write it who does not know this package."""
    inputs = keras.Input((None, 1))
    down = layers.Conv1D(8, 9, padding="same")(inputs)
    down = layers.LeakyReLU()(layers.BatchNormalization()(down))
    x = layers.Conv1D(16, 9, strides=2, padding="same", activation="relu")(down)
    x = layers.MaxPooling1D(2)(layers.Dropout(0.2)(x))
    x = layers.Conv1D(16, 9, padding="same", activation="relu")(layers.UpSampling1D(2)(x))
    x = layers.Conv1DTranspose(8, 9, strides=2, padding="same", activation="relu")(x)
    x = layers.Concatenate()([x, down])
    return keras.Model(inputs, layers.Conv1D(1, 9, padding="same", activation="tanh")(x))


@pytest.mark.slow
def test_a_textbook_unet_trains_loads_and_restores_in_chunks(tmp_path):
    keras.utils.set_random_seed(1)
    _, record = fit(tmp_path / "unet.keras", textbook_unet(), steps=60)
    assert record["loss"][-1] < 0.8 * record["loss"][0]
    loaded = recon.load(tmp_path / "unet.keras")
    signal = waves(1, 503)[0, :, 0]
    assert error(loaded) == pytest.approx(min(record["validation_mse"]), rel=1e-4)
    assert_joins(loaded, signal, chunk_length=97)

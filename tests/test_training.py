import json
import re
import zipfile
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from recon import datasets, training


def data(batch_size, seed):
    return datasets.noise_reduction(batch_size, seed=seed, n_samples=32, cycles=(1, 4))


VALIDATION = datasets.take(data(64, seed=2), 64)


def network(seed=1, **settings):
    keras.utils.set_random_seed(seed)
    return unseeded(**settings)


def unseeded(filters=4, activation="relu"):
    signal = keras.Input((None, 1))
    hidden = layers.Conv1D(filters, 5, padding="same", activation=activation)(signal)
    return keras.Model(signal, layers.Conv1D(1, 5, padding="same")(hidden), name="small")


def fit(path, model=None, train=None, validation=VALIDATION, **settings):
    model, train = model or network(), train or data(16, seed=1)
    settings = {"steps": 40, "validations": 4, "learning_rate": 1e-2} | settings
    return model, training.fit(model, train, validation, path=path, **settings)


def test_fitting_lowers_the_validation_error_and_leaves_a_record(tmp_path):
    model, record = fit(tmp_path / "a" / "small.keras", steps=200)
    assert record["step"] == [50, 100, 150, 200]
    assert record["validation_mse"][-1] < 0.7 * network_error(network())
    assert record["parameters"] == model.count_params()
    assert record["seconds"] == record["second"][-1] > 0
    assert record["loss"][-1] < record["loss"][0]
    json.dumps(record)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["small.keras"]


def network_error(model):
    corrupted, clean = VALIDATION
    return float(np.mean((np.asarray(model(corrupted)) - clean) ** 2))


averages = pytest.mark.parametrize("ema_momentum", [0.0, 0.9])


@averages
def test_the_model_holds_its_best_weights_as_does_the_file(tmp_path, monkeypatch, ema_momentum):
    ends = training._Run.on_test_end, training._Run.on_epoch_end
    losses = [1.0, 0.5, 2.0, 3.0]  # the second is best

    def test_end(self, logs=None):
        ends[0](self, {"loss": losses[len(self.record["step"])]})

    def epoch_end(self, epoch, logs=None):
        ends[1](self, epoch, logs | {"val_loss": losses[epoch]})

    monkeypatch.setattr(training._Run, "on_test_end", test_end)
    monkeypatch.setattr(training._Run, "on_epoch_end", epoch_end)
    model, record = fit(tmp_path / "small.keras", ema_momentum=ema_momentum)
    assert record["best_step"] == 20
    for holder in (model, keras.saving.load_model(tmp_path / "small.keras")):
        assert network_error(holder) == pytest.approx(record["validation_mse"][1], rel=1e-4)
        assert network_error(holder) != pytest.approx(record["validation_mse"][3], rel=1e-4)


def test_the_same_run_gives_the_same_weights(tmp_path):
    one, _ = fit(tmp_path / "one.keras")
    two, _ = fit(tmp_path / "two.keras")
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class Interrupt(Exception):
    pass


def interrupt_after(monkeypatch, rounds):
    """Let `rounds` rounds end, then stop as a killed process would, in the middle of the next."""
    end = training._Run.on_epoch_end

    def stop(self, epoch, logs=None):
        if len(self.record["step"]) == rounds:
            raise Interrupt
        end(self, epoch, logs)

    monkeypatch.setattr(training._Run, "on_epoch_end", stop)


def rounds_at_the_start(monkeypatch):
    """A list that gets the number of rounds that each run finds done when it begins."""
    begin, done = training._Run.on_train_begin, []

    def note(self, logs=None):
        done.append(len(self.record["step"]))
        begin(self, logs)

    monkeypatch.setattr(training._Run, "on_train_begin", note)
    return done


def test_each_seed_is_the_run_that_it_would_be_alone(tmp_path):
    pipeline = partial(datasets.noise_reduction, 16, n_samples=32, cycles=(1, 4))
    options = {"steps": 40, "validations": 4, "learning_rate": 1e-2}
    networks, records = training.fit_seeds(
        unseeded,
        pipeline,
        VALIDATION,
        seeds=[1, 5],
        path=tmp_path / "net_{seed}.keras",
        **options,
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net_1.keras", "net_5.keras"]
    assert len(records) == 2
    for seed, found in zip([1, 5], networks, strict=True):
        keras.utils.set_random_seed(seed)
        alone = unseeded()
        path = tmp_path / "alone.keras"
        training.fit(alone, pipeline(seed=seed), VALIDATION, path=path, **options)
        for a, b in zip(found.get_weights(), alone.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_an_average_of_the_weights_is_not_the_weights(tmp_path):
    _, one = fit(tmp_path / "one.keras")
    _, two = fit(tmp_path / "two.keras", ema_momentum=0.9)
    assert one["loss"] == two["loss"]  # it follows the training and does not change it
    assert one["validation_mse"] != two["validation_mse"]


@averages
def test_an_interrupted_run_goes_on_and_ends_bit_equal(tmp_path, monkeypatch, ema_momentum):
    average = {"ema_momentum": ema_momentum}
    whole, whole_record = fit(tmp_path / "whole.keras", **average)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(Interrupt):
            fit(tmp_path / "small.keras", **average)
    assert (tmp_path / "small.keras.state").exists()
    done = rounds_at_the_start(monkeypatch)
    resumed, record = fit(tmp_path / "small.keras", **average)
    assert done == [2]
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert record["validation_mse"] == whole_record["validation_mse"]
    assert not (tmp_path / "small.keras.state").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 2e-2},
        {"steps": 80},
        {"validations": 2},
        {"ema_momentum": 0.9},
        {"loss": "mean_absolute_error"},
        {"loss": keras.losses.Huber()},
        {"model": network(seed=9)},
        {"model": network(activation="tanh")},
        {"train": data(16, seed=3)},
        {"validation": datasets.take(data(64, seed=3), 64)},
    ],
)
def test_another_run_does_not_go_on_from_an_interrupted_one(tmp_path, monkeypatch, change):
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(Interrupt):
            fit(tmp_path / "small.keras")
    done = rounds_at_the_start(monkeypatch)
    fit(tmp_path / "small.keras", **change)
    assert done == [0]


@pytest.mark.parametrize("damage", ["empty", "cut", "bent", "text", "flag"])
def test_a_damaged_state_is_no_state(tmp_path, monkeypatch, damage):
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(Interrupt):
            fit(tmp_path / "small.keras")
    state = tmp_path / "small.keras.state"
    whole = state.read_bytes()
    middle = len(whole) // 2
    bent = whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 50])
    state.write_bytes(
        {
            "empty": b"",
            "cut": whole[:middle],
            "bent": bent + whole[middle + 50 :],
            "text": b"not a state",
            "flag": re.sub(b"(?s)(PK\1\2....)\0", rb"\g<1>" + b"\1", whole),  # "is encrypted"
        }[damage]
    )
    done = rounds_at_the_start(monkeypatch)
    fit(tmp_path / "small.keras")
    assert done == [0]


def test_a_failure_while_saving_leaves_the_previous_file(tmp_path, monkeypatch):
    path = tmp_path / "small.keras"
    training.save(network(seed=1), path)
    before = path.read_bytes()

    def half(self, target, **kwargs):
        target.write_bytes(b"half a file")
        raise OSError("No space left on device")

    monkeypatch.setattr(keras.Model, "save", half)
    with pytest.raises(OSError, match="No space left"):
        training.save(network(seed=2), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["small.keras"]


def test_what_cannot_be_read_back_does_not_replace_the_previous_file(tmp_path, monkeypatch):
    path = tmp_path / "small.keras"
    training.save(network(seed=1), path)
    before = path.read_bytes()
    monkeypatch.setattr(keras.Model, "save", lambda self, target: target.write_bytes(b"broken"))
    with pytest.raises((ValueError, OSError, zipfile.BadZipFile)):
        training.save(network(seed=2), path)
    assert path.read_bytes() == before


def test_the_normalised_loss_is_its_formula_and_weighs_quiet_waveforms_alike():
    random = np.random.default_rng(0)
    clean = random.normal(size=(3, 20, 1)).astype(np.float32)
    error = random.normal(size=clean.shape).astype(np.float32)
    loss = np.asarray(training.log_mean_squared_error(clean, clean + error))
    np.testing.assert_allclose(loss, np.log(np.mean(error**2, axis=(1, 2))), rtol=1e-4)
    tenth = np.asarray(training.log_mean_squared_error(clean, clean + 0.1 * error))
    np.testing.assert_allclose(loss - tenth, np.log(100), rtol=1e-3)


def test_a_strategy_that_is_neither_is_refused():
    with pytest.raises(ValueError, match="strategy must be single or mirrored, got 'all'"):
        training.distribute("all")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "a.h5"}, "path must end in .keras, got 'a.h5'"),
        ({"steps": 41}, "steps must be a positive multiple of validations (4), at least 1, got 41"),
        ({"steps": 0}, "steps must be a positive multiple of validations (4), at least 1, got 0"),
        (
            {"validations": 0},
            "steps must be a positive multiple of validations (0), at least 1, got 40",
        ),
        (
            {"validations": -4},
            "steps must be a positive multiple of validations (-4), at least 1, got 40",
        ),
    ],
)
def test_wrong_arguments_are_named_in_one_line(tmp_path, settings, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the whole message is compared)
        fit(**{"path": tmp_path / "a.keras"} | settings)
    assert str(error.value) == message

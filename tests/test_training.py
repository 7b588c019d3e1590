import contextlib
import itertools
import json
import re
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from tolerance import rounding

from recon import datasets, framing, models, training

pipeline = partial(datasets.noise_reduction, n_samples=32, cycles=(1, 4))
VALIDATION = datasets.take(pipeline(64, seed=2), 64)
SETTINGS = {"steps": 40, "validations": 4, "learning_rate": 1e-2}
SETTINGS |= {"jit_compile": False}  # XLA takes longer to compile than the steps take
CURVES = ("step", "loss", "validation_loss", "validation_mse")


def network(seed=1, **options):
    keras.utils.set_random_seed(seed)
    return unseeded(**options)


def unseeded(filters=4, activation="relu", dropout=0.0, scale=None):
    signal = keras.Input((None, 1))
    x = layers.Conv1D(filters, 5, padding="same", activation=activation)(signal)
    if dropout:
        x = layers.Dropout(dropout)(x)
    if scale:
        x = scale(x)
    return keras.Model(signal, layers.Conv1D(1, 5, padding="same")(x), name="small")


def fit(path, model=None, train=None, validation=VALIDATION, **settings):
    model, train = model or network(), train or pipeline(16, seed=1)
    settings = SETTINGS | settings
    return model, training.fit(model, train, validation, path=path, **settings)


def error(model):
    corrupted, clean = VALIDATION
    return float(np.mean((np.asarray(model(corrupted)) - clean) ** 2))


def assert_same(one, two):
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_step_is_traced_once_and_so_is_a_validation(tmp_path):
    traced = []

    def loss(clean, estimate):
        traced.append(not tf.executing_eagerly())
        return ops.mean(ops.square(clean - estimate))

    fit(tmp_path / "net.keras", loss=loss)
    assert sum(traced) == (2 if keras.backend.backend() == "tensorflow" else 0)


class Interrupt(Exception):
    pass


class Steps(keras.callbacks.Callback):
    """Counts the steps; may stop a run, as a killed process would, before one of them."""

    def __init__(self, until=np.inf):
        super().__init__()
        self.until, self.count = until, 0

    def on_train_batch_begin(self, batch, logs=None):
        if self.count == self.until:
            raise Interrupt
        self.count += 1


class Begins(keras.callbacks.Callback):
    """Stops a run before its first step, and keeps the rounds that it found done."""

    rounds = None

    def on_epoch_begin(self, epoch, logs=None):
        self.rounds = epoch
        raise Interrupt


def rounds_found(path, **settings):
    """Of a run to that path, how many were done before; None if all of it was."""
    begins = Begins()
    with contextlib.suppress(Interrupt):
        fit(path, callbacks=[begins], **settings)
    return begins.rounds


def interrupted(path, steps=25, **settings):
    with pytest.raises(Interrupt):
        fit(path, callbacks=[Steps(steps)], **settings)


KINDS = {
    "plain": ({}, {}),
    "dropout, averaged": ({"dropout": 0.3}, {"ema_momentum": 0.9}),
}
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Runs that nothing interrupts, kind -> (model, record, path)."""
    runs = {}
    for kind, (options, settings) in KINDS.items():
        path = tmp_path_factory.mktemp("whole") / "a" / "small.keras"
        runs[kind] = (*fit(path, network(**options), **settings), path)
    return runs


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """The bytes of the state of a plain run that was interrupted after two of four rounds."""
    path = tmp_path_factory.mktemp("cut") / "small.keras"
    interrupted(path)
    (state,) = path.parent.glob("*.state")
    return state.name, state.read_bytes()


@pytest.fixture
def path(cut, tmp_path):
    """The path of that run, its state beside it."""
    name, state = cut
    (tmp_path / name).write_bytes(state)
    return tmp_path / "small.keras"


def test_fitting_lowers_the_validation_error_and_leaves_a_record(whole):
    model, record, path = whole["plain"]
    assert record["step"] == [10, 20, 30, 40]
    assert record["validation_mse"][-1] < 0.8 * error(network())
    assert record["parameters"] == model.count_params()
    assert record["seconds"] == record["second"][-1] > 0
    assert record["loss"][-1] < record["loss"][0]
    json.dumps(record)
    names = {file.name for file in path.parent.iterdir()}
    assert "small.keras" in names
    assert all(re.fullmatch(r"small.keras(\.[0-9a-f]+\.state)?", name) for name in names)


@pytest.mark.slow
@kinds
def test_the_model_holds_its_best_weights_as_does_the_file(tmp_path, kind):
    worse = keras.optimizers.schedules.PiecewiseConstantDecay([20], [1e-2, 1.0])
    options, settings = KINDS[kind]
    settings = settings | {"learning_rate": worse}
    model, record = fit(tmp_path / "small.keras", network(**options), **settings)
    best = int(np.argmin(record["validation_loss"]))
    assert best < 2
    assert record["best_step"] == record["step"][best]
    for holder in (model, models.load(tmp_path / "small.keras")):
        assert error(holder) == pytest.approx(record["validation_mse"][best], rel=1e-4)
        assert error(holder) != pytest.approx(record["validation_mse"][3], rel=1e-4)


def test_an_average_of_the_weights_is_not_the_weights(tmp_path, whole):
    _, one, _ = whole["plain"]
    _, two = fit(tmp_path / "two.keras", ema_momentum=0.9)
    # It follows the training and does not change it, but for the rounding of another graph.
    assert one["loss"] == pytest.approx(two["loss"], rel=1e-5)
    assert one["validation_mse"] != two["validation_mse"]


@pytest.mark.slow
def test_each_seed_is_the_run_that_it_would_be_alone(tmp_path, whole):
    networks, records = training.fit_seeds(
        unseeded,
        partial(pipeline, 16),
        VALIDATION,
        seeds=[5, 1],
        path=tmp_path / "net_{seed}.keras",
        **SETTINGS,
    )
    assert {path.name for path in tmp_path.glob("*.keras")} == {"net_1.keras", "net_5.keras"}
    assert_same(networks[1], whole["plain"][0])
    assert records[1]["loss"] == whole["plain"][1]["loss"] != records[0]["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("steps", [41, np.int64(43), 3.0, 1])
def test_any_number_of_steps_is_that_number(tmp_path, steps):
    count = Steps()
    _, record = fit(tmp_path / "small.keras", steps=steps, callbacks=[count])
    assert count.count == steps == record["step"][-1]
    assert len(record["validation_mse"]) <= 4


class Halving(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule as anyone would write it, without what Keras wants for saving one."""

    def __call__(self, step):
        return 1e-2 * 0.5 ** (ops.cast(step, "float32") / 10)


@pytest.mark.slow
@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(1e-2, 10, 0.5)},
        {"learning_rate": np.float32(1e-2), "validations": np.int32(2)},
        {"loss": keras.losses.Huber()},
        {"loss": lambda clean, estimate: ops.mean(ops.abs(clean - estimate), axis=(1, 2))},
        {"loss": training.log_mean_squared_error},
        {"loss": partial(keras.losses.huber, delta=0.1)},
        {"loss": keras.losses.Huber},
        {"learning_rate": Halving()},
    ],
    ids=["schedule", "numpy", "object", "lambda", "function", "partial", "class", "own"],
)
def test_settings_may_come_as_keras_and_numpy_have_them(tmp_path, settings):
    _, record = fit(tmp_path / "small.keras", **settings)
    assert record["validation_loss"][-1] < record["validation_loss"][0]
    # The same once more: its name does not depend on what is made anew.
    assert rounds_found(tmp_path / "small.keras", **settings) is None


@pytest.mark.slow
@kinds
@pytest.mark.parametrize("again", ["the same object", "an object made alike"])
def test_an_interrupted_run_goes_on_and_ends_bit_equal(tmp_path, whole, kind, again):
    options, settings = KINDS[kind]
    path, model, rest = tmp_path / "small.keras", network(**options), Steps()
    interrupted(path, model=model, **settings)
    if again != "the same object":
        model = network(**options)
    fitted, record = fit(path, model, callbacks=[rest], **settings)
    assert fitted is model
    assert rest.count == 20
    for holder in (model, models.load(path)):
        assert_same(holder, whole[kind][0])
    assert [record[curve] for curve in CURVES] == [whole[kind][1][curve] for curve in CURVES]


@kinds
def test_a_finished_run_is_found_without_a_step_until_its_state_is_gone(whole, kind, capsys):
    (model, record, path), (options, settings) = whole[kind], KINDS[kind]
    weights = model.get_weights()
    changed = (b"", None)
    for again, content in itertools.zip_longest((model, network(**options)), changed):
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        count = Steps()
        capsys.readouterr()
        found, same = fit(path, again, callbacks=[count], **settings)
        (line,) = capsys.readouterr().out.splitlines()
        assert "found" in line
        assert count.count == 0
        assert same == record
        for holder in (found, models.load(path)):  # the file is as it was
            for a, b in zip(weights, holder.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
    (state,) = path.parent.glob("*.state")
    content = state.read_bytes()
    state.unlink()
    assert rounds_found(path, model=network(**options), **settings) == 0
    state.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 2e-2},
        {"steps": 80},
        {"validations": 2},
        {"ema_momentum": 0.9},
        {"loss": "mean_absolute_error"},
        {"loss": keras.losses.Huber()},
        {"loss": lambda clean, estimate: ops.abs(clean - estimate)},
        {"model": partial(network, seed=9)},
        {"model": partial(network, activation="tanh")},
        {"model": partial(network, dropout=0.1)},
        {"train": pipeline(16, seed=3)},
        {"validation": datasets.take(pipeline(64, seed=3), 64)},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(1e-2, 10, 0.5)},
        {"learning_rate": Halving()},
        {"jit_compile": True},
        {"train": pipeline(16, seed=1).take(3).concatenate(pipeline(16, seed=3)).repeat()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_run_does_not_go_on_from_an_interrupted_one(path, change):
    assert rounds_found(path) == 2
    change = {key: value() if key == "model" else value for key, value in change.items()}
    assert rounds_found(path, **change) == 0


@pytest.mark.slow
def test_schedules_that_differ_between_validations_alone_are_two_runs(tmp_path):
    path, rates = tmp_path / "small.keras", ([1e-2] * 3, [1e-2, 2e-2, 1e-2])
    steady, jumping = (
        keras.optimizers.schedules.PiecewiseConstantDecay([1, 3], values) for values in rates
    )
    fit(path, learning_rate=steady)
    assert rounds_found(path, learning_rate=steady) is None
    assert rounds_found(path, learning_rate=jumping) == 0


@pytest.mark.slow
@pytest.mark.parametrize("losses", [[keras.losses.Huber(delta) for delta in (20.0, 40.0)]])
def test_losses_that_differ_for_large_errors_alone_are_two_runs(tmp_path, losses):
    path = tmp_path / "small.keras"
    fit(path, loss=losses[0])
    assert rounds_found(path, loss=losses[0]) is None
    assert rounds_found(path, loss=losses[1]) == 0


class Unknown(layers.Layer):
    """A layer that no other process knows."""

    def call(self, x):
        return 2 * x


@pytest.mark.parametrize("layer", [Unknown, partial(layers.Lambda, lambda x: 2 * x)])
def test_a_model_that_cannot_be_read_back_is_refused_before_the_first_step(tmp_path, layer):
    count = Steps()
    with pytest.raises(ValueError, match="^model must be one that can be read back, got") as error:
        fit(tmp_path / "small.keras", network(scale=layer()), callbacks=[count])
    assert count.count == 0
    assert "\n" not in str(error.value)
    assert not (tmp_path / "small.keras").exists()


def test_another_forward_pass_of_the_same_configuration_is_another_run(tmp_path):
    def scale(factor):
        @keras.saving.register_keras_serializable("tests", "Scale")
        class Scale(layers.Layer):
            def call(self, x):
                return factor * x

        return network(scale=Scale(name="scale"))

    path, few = tmp_path / "small.keras", {"steps": 4, "validations": 2}
    fit(path, scale(1.0), **few)
    assert rounds_found(path, model=scale(1.0), **few) is None
    assert rounds_found(path, model=scale(2.0), **few) == 0


@pytest.mark.parametrize("damage", ["empty", "cut", "bent", "text", "flag"])
def test_a_damaged_state_is_no_state(path, damage):
    (state,) = path.parent.glob("*.state")
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
    assert rounds_found(path) == 0


class NotANumber(keras.callbacks.Callback):
    """Spoils the weights, as a step too large would."""

    def on_train_batch_begin(self, batch, logs=None):
        if self.model.optimizer.iterations == self.at:
            self.model.set_weights([weight * np.nan for weight in self.model.get_weights()])


@pytest.mark.slow
@kinds
@pytest.mark.parametrize("at", [5, 25])
def test_a_loss_that_is_no_longer_finite_ends_the_run_with_the_best_so_far(
    tmp_path, capsys, kind, at
):
    options, settings = KINDS[kind]
    spoil, model = NotANumber(), network(**options)
    spoil.at = at
    _, record = fit(tmp_path / "small.keras", model, callbacks=[spoil], **settings)
    assert record["step"] == [10, 20][: at // 10]
    assert "finite" in capsys.readouterr().out.splitlines()[-1]
    expected = record["validation_mse"][-1] if at > 10 else error(network(**options))
    for holder in (model, models.load(tmp_path / "small.keras")):
        assert error(holder) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 9], ids=["the same", "another"])
def test_two_runs_to_one_path_do_not_harm_each_other(tmp_path, whole, seed):
    path, inner = tmp_path / "small.keras", {}

    class Meanwhile(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                inner["model"], inner["record"] = fit(path, network(seed))
                assert_same(models.load(path), inner["model"])

    model, record = fit(path, callbacks=[Meanwhile()])
    assert_same(model, whole["plain"][0])
    assert_same(models.load(path), model)
    assert record["loss"] == whole["plain"][1]["loss"]
    assert inner["record"]["step"] == record["step"]
    for one in (1, seed):  # both are found again
        assert rounds_found(path, model=network(one)) is None
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("place", ["file/small.keras", "folder.keras"])
def test_a_path_that_cannot_be_written_is_refused_before_the_first_step(tmp_path, place):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "folder.keras").mkdir()
    count = Steps()
    with pytest.raises(ValueError, match=f"path must .*{place}") as error:
        fit(tmp_path / place, callbacks=[count])
    assert count.count == 0
    assert "\n" not in str(error.value)


def textbook_unet():
    """As anyone would write it, not knowing this package."""
    inputs = keras.Input((None, 1))
    down = layers.Conv1D(8, 9, padding="same")(inputs)
    down = layers.LeakyReLU()(layers.BatchNormalization()(down))
    x = layers.Conv1D(16, 9, strides=2, padding="same")(down)
    x = layers.Dropout(0.2)(layers.LeakyReLU()(layers.BatchNormalization()(x)))
    x = layers.Conv1D(16, 9, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv1DTranspose(16, 9, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv1DTranspose(8, 9, strides=2, padding="same", activation="relu")(x)
    x = layers.Concatenate()([x, down])
    return keras.Model(inputs, layers.Conv1D(1, 9, padding="same", activation="tanh")(x))


@pytest.mark.slow
def test_a_textbook_unet_is_trained_saved_loaded_and_restores_in_chunks(tmp_path):
    keras.utils.set_random_seed(1)
    model, record = fit(tmp_path / "unet.keras", textbook_unet(), steps=60)
    assert record["loss"][-1] < record["loss"][0]  # moving averages lag behind so few steps
    loaded = models.load(tmp_path / "unet.keras")
    assert error(loaded) == pytest.approx(min(record["validation_mse"]), rel=1e-4)
    signal = np.random.default_rng(0).normal(size=1_003).astype(np.float32)
    whole = np.asarray(loaded(signal[None, :, None]))[0, :, 0]
    joined = framing.restore(loaded, signal, chunk_length=97)
    np.testing.assert_allclose(joined, whole, rtol=0, atol=rounding(loaded, signal))
    np.testing.assert_array_equal(framing.restore(model, signal, chunk_length=97), joined)


def test_the_normalised_loss_is_its_formula_and_weighs_quiet_waveforms_alike():
    random = np.random.default_rng(0)
    clean = random.normal(size=(3, 20, 1)).astype(np.float32)
    error = random.normal(size=clean.shape).astype(np.float32)
    loss = np.asarray(training.log_mean_squared_error(clean, clean + error))
    np.testing.assert_allclose(loss, np.log(np.mean(error**2, axis=(1, 2))), rtol=1e-4)
    tenth = np.asarray(training.log_mean_squared_error(clean, clean + 0.1 * error))
    np.testing.assert_allclose(loss - tenth, np.log(100), rtol=1e-3)


SIGNAL = keras.Input((None, 1))
SHORTER = keras.Model(SIGNAL, layers.Conv1D(1, 2, strides=2)(SIGNAL))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("path", "a.h5"),
        ("steps", 0),
        ("steps", 2.5),
        ("validations", 0),
        ("validations", -4),
        ("learning_rate", -1.0),
        ("learning_rate", np.nan),
        ("ema_momentum", 1.5),
        ("ema_momentum", 1),
        ("jit_compile", "yes"),
        ("path", None),
        ("path", "\0.keras"),
        ("callbacks", None),
        ("callbacks", [3]),
        ("train", VALIDATION),
        ("train", pipeline(16, seed=1).take(5)),
        ("train", pipeline(16, seed=1).map(lambda corrupted, clean: clean)),
        ("train", pipeline(16, seed=1).map(lambda corrupted, clean: (corrupted, clean[:, :8]))),
        ("train", pipeline(16, seed=1).map(lambda *pair: tuple(tf.cast(x, "int16") for x in pair))),
        ("validation", pipeline(16, seed=1)),
        ("validation", None),
        ("validation", VALIDATION[0]),
        ("validation", (*VALIDATION, VALIDATION[0])),
        ("validation", (VALIDATION[0], VALIDATION[1][:9])),
        ("validation", (VALIDATION[0][:0], VALIDATION[1][:0])),
        ("validation", (VALIDATION[0], np.full_like(VALIDATION[1], np.nan))),
        ("model", SHORTER),
        ("loss", "nothing"),
        ("loss", None),
        ("loss", 3),
        ("loss", ["mse"]),
        ("loss", lambda clean, estimate: None),
        ("learning_rate", "fast"),
        ("learning_rate", type("Text", (Halving,), {"__call__": lambda self, step: "x"})()),
        ("model", keras.Sequential([layers.Conv1D(1, 5, padding="same")])),
        ("model", "model"),
    ],
)
def test_wrong_arguments_are_named_in_one_line(tmp_path, name, value):
    found = re.escape(f"{value}") if isinstance(value, int | float) else ""
    with pytest.raises(ValueError, match=f"^{name} must .*{found}") as error:
        fit(**{"path": tmp_path / "a.keras", name: value})
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_what_was_trained_can_be_trained_on_and_both_runs_are_found_again(tmp_path):
    model, _ = fit(tmp_path / "first.keras")
    first = [np.copy(weights) for weights in model.get_weights()]
    fit(tmp_path / "still.keras", model, learning_rate=0.0)
    for before, after in zip(first, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    further = {"train": pipeline(16, seed=3), "learning_rate": 1e-3}
    fit(tmp_path / "second.keras", model, **further)
    twin, _ = fit(tmp_path / "first.keras")  # as another process would
    assert rounds_found(tmp_path / "second.keras", model=twin, **further) is None
    assert_same(twin, model)


@pytest.mark.slow
def test_a_run_that_a_callback_stopped_is_found_by_it_and_goes_on_without(tmp_path):
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(stop.model, "stop_training", True)
    )
    model, record = fit(tmp_path / "small.keras", callbacks=[stop])
    assert (record["step"], record["finished"], record["stopped"]) == ([10], False, True)
    count = Steps()
    _, record = fit(tmp_path / "small.keras", callbacks=[stop, count])
    assert (count.count, record["step"]) == (0, [10])
    _, record = fit(tmp_path / "small.keras", model)
    assert (record["step"], record["finished"], record["stopped"]) == (
        [10, 20, 30, 40],
        True,
        False,
    )


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"path": "same.keras"}, "path"),
        ({"seeds": [1, -1]}, "seeds"),
        ({"seeds": [0.5]}, "seeds"),
        ({"seeds": "one"}, "seeds"),
    ],
)
def test_seeds_that_are_none_and_runs_to_one_path_are_refused(tmp_path, wrong, name):
    usual = {"seeds": [1, 2], "path": tmp_path / "{seed}.keras"} | wrong
    with pytest.raises(ValueError, match=f"^{name} must "):
        training.fit_seeds(unseeded, partial(pipeline, 16), VALIDATION, **usual, **SETTINGS)


@pytest.mark.slow
def test_braces_in_a_path_are_a_name(tmp_path):
    path, seeds = tmp_path / "{a}{}_{seed}.keras", np.int64(1)  # one may come alone
    training.fit_seeds(
        unseeded,
        partial(pipeline, 16),
        VALIDATION,
        seeds=seeds,
        path=path,
        **SETTINGS | {"steps": 4},
    )
    assert (tmp_path / "{a}{}_1.keras").exists()

"""One way to fit a network: Adam under a cosine schedule, validated, saved and resumable."""

import hashlib
import io
import json
import os
import re
import sys
import tempfile
import time
import warnings
import weakref
import zipfile
from contextlib import suppress
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from IPython import get_ipython
from IPython.display import display
from keras import ops

from recon import checks, datasets, models, settings


@keras.saving.register_keras_serializable(package="recon")
def log_mean_squared_error(clean, estimate):
    """Mean over waveforms of log(mean squared error of each waveform): the criterion, normalised.

    Halving the error of a quiet waveform counts as much as halving that of a loud one, and the
    gradient keeps its size as the error falls. 1e-10 keeps a perfect waveform finite.

    Args:
        clean, estimate: tensors [batch, n_samples, 1].

    Returns:
        Tensor [batch], natural logarithms; Keras takes the mean.
    """
    return ops.log(ops.mean(ops.square(clean - estimate), axis=(1, 2)) + 1e-10)


def _begin():
    """Get the devices ready, before any network is made; machines wait for each other here.

    TensorFloat-32, which NVIDIA's cards would otherwise use for products of float32, is switched
    off: its ten bits hold some 60 dB, and networks here reach twice that.
    """
    backend = keras.backend.backend()
    rule = "KERAS_BACKEND must be jax to train on several machines"
    checks.require(backend == "jax" or not settings.cluster(), rule, repr(backend))
    if backend != "jax":
        tf.config.experimental.enable_tensor_float_32_execution(False)
        return
    import jax

    jax.config.update("jax_default_matmul_precision", "highest")
    if tf.config.list_physical_devices("GPU"):
        tf.config.set_visible_devices([], "GPU")  # it would take the memory, and only makes data
    if settings.cluster():
        keras.distribution.initialize()
    if len(keras.distribution.list_devices()) > 1:
        everywhere = keras.distribution.DataParallel(auto_shard_dataset=False)
        keras.distribution.set_distribution(everywhere)


_begin()


def devices():
    """The devices that networks train on, in words: "CPU:0", "2 x GPU".

    With JAX that is all of them, those of other machines included; with TensorFlow it is one.
    """
    names = [name.upper() for name in keras.distribution.list_devices()]
    together = keras.distribution.distribution() is not None
    return f"{len(names)} x {names[0].partition(':')[0]}" if together else names[0]


@checks.checked()
def fit(
    model,
    train,
    validation,
    *,
    steps,
    path,
    learning_rate=2e-3,
    loss="mean_squared_error",
    validations=20,
    jit_compile="auto",
    ema_momentum=0.0,
    callbacks=(),
):
    """Train a network, keep its best weights, and survive interruption.

    After every `validations`-th part of the steps the validation data are scored: if they are the
    best so far, the network is saved to `path`; the whole state goes beside it. An interrupted run
    that is started again, with a model made alike or with the same object, goes on from there and
    ends with the same weights. A finished run is found again by its network, data and settings: the
    result is there at once, until the state beside `path` is deleted. Where nothing is found, the
    training begins at the weights that the model has, so that what was trained can be trained on. A
    loss that is no longer finite ends the training with the best network so far. One line shows all
    of it.

    With JAX, all devices share the waveforms of each batch and end with the same weights, which are
    those of one device up to rounding (docs/machines.md). Every machine keeps the network; what a
    run goes on from is the first one's.

    Args:
        model: Keras model; holds its best weights when this returns.
        train: endless tf.data.Dataset of (corrupted, clean).
        validation: (corrupted, clean) arrays, drawn from another seed.
        steps: batches to train on.
        path: file to keep the best network in, ending in .keras.
        learning_rate: a number, the peak of a schedule that rises for a twentieth of the steps and
            then falls along a cosine, almost to zero; or a Keras schedule.
        loss: a Keras loss, a function of (clean, estimate), or a name.
        validations: how often to score the validation data, at most.
        jit_compile: as in `keras.Model.compile`; True has XLA fuse the step, which takes seconds to
            compile; what it gains depends on the machine (docs/performance.md). JAX always does.
        ema_momentum: of an exponential moving average of the weights, which is then what is scored
            and kept: it sees past the noise of the last steps long before the schedule ends. As in
            `keras.optimizers.Adam`; 0 for none.
        callbacks: keras.callbacks.Callback objects; an epoch is the time between two validations.

    Returns:
        dict: "parameters", "steps", "seconds" of training and validation, "best_step", "finished",
        "stopped" by a callback, and the curves "step", "second", "loss", "validation_loss" and
        "validation_mse".

    Raises:
        ValueError: if an argument is of no use, `path` cannot be written, or devices cannot share.
    """
    usable = isinstance(path, str | os.PathLike) and Path(path).suffix == ".keras"
    usable = usable and not os.path.isdir(path)
    checks.require(usable, "path must be a file ending in .keras", repr(path))
    path, callbacks = Path(path), list(callbacks) if np.iterable(callbacks) else [callbacks]
    ours = all(isinstance(callback, keras.callbacks.Callback) for callback in callbacks)
    checks.require(ours, "callbacks must be keras.callbacks.Callback objects", repr(callbacks))
    built = isinstance(model, keras.Model) and model.built
    checks.require(built, "model must be a Keras model that is built", repr(model))
    validation = _data(train, validation)
    checks.require(ema_momentum < 1, "ema_momentum must be below 1", ema_momentum)
    known = isinstance(jit_compile, bool | np.bool_) or str(jit_compile) == "auto"
    checks.require(known, 'jit_compile must be True, False or "auto"', repr(jit_compile))
    jit_compile = jit_compile if isinstance(jit_compile, str) else bool(jit_compile)
    if not isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        peak = checks.number("learning_rate", learning_rate, low=0)
        learning_rate = keras.optimizers.schedules.CosineDecay(
            peak / 100, steps, warmup_target=peak, warmup_steps=steps // 20
        )
    loss = _loss(loss)
    share, at_once = _sharing(model, train, validation)
    model.compile(
        keras.optimizers.Adam(learning_rate, use_ema=ema_momentum > 0, ema_momentum=ema_momentum),
        loss=loss,
        # An object, not its name: Keras would make its variables while the step is traced, and
        # TensorFlow trace it again.
        metrics=[keras.metrics.MeanSquaredError()],
        jit_compile=jit_compile or keras.backend.backend() == "jax",  # or it runs step by step
    )
    model.optimizer.build(model.trainable_variables)
    per_round = -(-steps // validations)
    run = _Run(path, model, steps, per_round)
    places = sorted({round(place) for place in np.linspace(0, steps - 1, 100)})
    rates = map(ops.convert_to_numpy, map(learning_rate, places))
    about = [steps, per_round, ema_momentum, jit_compile]
    about += [checks.number("learning_rate", rate, low=0) for rate in rates]
    run.begin(partial(_fingerprint, model, train, validation, about, loss))
    done = per_round * len(run.record["step"])
    average = [keras.callbacks.SwapEMAWeights()] if ema_momentum else []
    try:
        if not (run.record["finished"] or (callbacks and run.record["stopped"])):
            with warnings.catch_warnings():  # the last round may be shorter than the others
                warnings.filterwarnings("ignore", ".*ran out of data")
                model.fit(
                    share(train.skip(done).take(steps - done)),
                    validation_data=share(validation),
                    validation_batch_size=at_once,
                    steps_per_epoch=per_round,
                    initial_epoch=done // per_round,
                    epochs=-(-steps // per_round),
                    # In this order: the average is in place when `run` hears that a validation has
                    # ended.
                    callbacks=[run, *average, *callbacks],
                    shuffle=False,
                    verbose=0,
                )
        run.end()
    finally:
        run.leave()
    return run.record


@checks.checked()
def fit_seeds(build, pipeline, validation, *, seeds, path, **options):
    """Train one network per seed, which decides its first weights and its training data.

    Args:
        build: callable that makes a network.
        pipeline: callable (seed=...) that makes its training data, such as
            functools.partial(datasets.noise_reduction, 64).
        validation: (corrupted, clean) arrays, the same for all.
        seeds: whole numbers.
        path: as in `fit`, with {seed} in the place of the seed.
        options: as in `fit`.

    Returns:
        Two lists, of networks and of what `fit` returned.

    Raises:
        ValueError: as in `fit`, or if a seed is none, or several share one path.
    """
    rule = {"low": 0, "high": 2**32 - 1, "whole": True}
    seeds = checks.several("seeds", seeds if np.iterable(seeds) else [seeds], **rule)
    alone = "{seed}" in str(path) or len(seeds) < 2
    checks.require(alone, "path must hold {seed}, as there are several", repr(path))
    networks, records = [], []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        network = build()
        file = str(path).replace("{seed}", str(seed))
        records.append(fit(network, pipeline(seed=seed), validation, path=file, **options))
        networks.append(network)
    return networks, records


def _data(train, validation):
    """Data that a network can be trained and scored on; gives back the validation data."""
    endless = datasets.pairs("train", train).cardinality() == tf.data.INFINITE_CARDINALITY
    checks.require(endless, "train must be an endless tf.data.Dataset; see its repeat()", train)
    pair = isinstance(validation, tuple | list) and len(validation) == 2
    rule = "validation must be (corrupted, clean), floats [batch, n_samples, 1]"
    checks.require(pair, rule, type(validation).__name__)
    axes = ("batch", "n_samples", 1)
    corrupted = checks.samples("validation", validation[0], np.float32, empty=False, shape=axes)
    clean = checks.samples("validation", validation[1], np.float32, shape=corrupted.shape)
    return corrupted, clean


def _sharing(model, train, validation):
    """What gives this process its share of each batch, and the validation waveforms per batch.

    All processes and devices together see the batches that one device would see: a loss that is one
    number per batch is that number, and none of them waits for a batch that another has not.
    """
    strategy = getattr(model, "distribute_strategy", None)
    replicas = strategy.num_replicas_in_sync if strategy else 1
    rule = "strategy of tf.distribute must have one replica, or KERAS_BACKEND=jax share the batch"
    checks.require(replicas == 1, rule, replicas)
    distribution = keras.distribution.distribution()
    if distribution is None:
        return lambda data: data, 512
    count, processes = distribution.num_model_replicas, distribution.num_processes
    on = len(model.variables[0].value.sharding.device_set) if model.variables else count
    rule = f"model must be made after recon.training is imported, for {count} devices"
    checks.require(on == count, rule, f"one on {on}")
    for name, size in ("train", train.element_spec[0].shape[0]), ("validation", len(validation[0])):
        rule = f"{name} must have waveforms that {count} devices can share equally"
        checks.require(size and size % count == 0, rule, f"{size} of them")
    at_once = 512 // count * count

    def share(data):
        if processes == 1:
            return data
        if not isinstance(data, tf.data.Dataset):
            data = tf.data.Dataset.from_tensor_slices(data).batch(at_once)
        mine = distribution.data_shard_id
        return data.map(lambda *batch: tuple(tf.split(part, processes)[mine] for part in batch))

    return share, at_once


def _values(model):
    """All that a model's answer depends on, random seeds included, as arrays."""
    return [ops.convert_to_numpy(variable) for variable in model.variables]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _digest(arrays, text=""):
    digest = hashlib.sha256(text.encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _loss(loss):
    """A loss as Keras finds it."""
    rule, found = "loss must be a Keras loss, a function of (clean, estimate), or a name", None
    with suppress(ValueError, TypeError):
        found = keras.losses.get(loss)
    checks.require(callable(found), rule, repr(loss))
    return found


def _fingerprint(model, train, validation, about, loss):
    """Names a run by all that decides its outcome: network, first weights, settings, validation
    data, the first batches, and what the network makes of one and the loss of its errors, were
    they smaller or larger."""
    batches = list(train.take(SEEN).as_numpy_iterator())
    corrupted, clean = (ops.cast(part, "float32") for part in batches[0])
    estimate = model(corrupted)
    alike = getattr(estimate, "shape", None) == clean.shape
    found = getattr(estimate, "shape", type(estimate).__name__)
    checks.require(alike, f"model must give {tuple(clean.shape)} as the data do", found)
    errors = ops.cast(estimate, "float32") - clean
    for scale in (0.01, 1.0, 100.0):
        losses = np.asarray(loss(clean, clean + scale * errors))
        checks.require(losses.dtype.kind == "f", "loss must give a number or several", losses)
        about = [*about, f"{np.mean(losses):.4g}"]
    with models.uncompiled(model):
        network = re.sub(r'_\d+"', '"', model.to_json())  # a name tells how many were made before
    data = [part for batch in [*batches, validation] for part in batch]
    return _digest([*data, *_values(model)], network + json.dumps(about))


def _found(path):
    """What a file holds; on several machines, what the first one's holds, so that all go on from
    the same step."""
    try:
        content = path.read_bytes()
    except OSError:
        content = b"nothing"
    distribution = keras.distribution.distribution()
    if distribution is not None and distribution.num_processes > 1:
        from jax.experimental.multihost_utils import broadcast_one_to_all

        size = int(broadcast_one_to_all(np.int32(len(content))))
        content = np.frombuffer(content[:size].ljust(size), np.uint8)
        content = broadcast_one_to_all(content).tobytes()
    return io.BytesIO(content)


SEEN = 8  # batches by which the data of a run are known
# model -> (digest when a run left it, the run's name, first values)
STARTED_AS = weakref.WeakKeyDictionary()


class _Run(keras.callbacks.Callback):
    """Follows one fit: shows progress, records the curves, keeps the best network and the state."""

    def __init__(self, path, model, steps, per_round):
        super().__init__()
        self.path, self.steps, self.per_round = path, steps, per_round
        curves = ("step", "second", "loss", "validation_loss", "validation_mse")
        self.record = {"parameters": model.count_params(), "steps": steps, "seconds": 0.0}
        self.record |= {"best_step": 0, "finished": False, "stopped": False}
        self.record |= {curve: [] for curve in curves}
        self.display = self.started = None
        self.set_model(model)

    def begin(self, fingerprint):
        """Go on from what an earlier run like this one left, finished or not, if it can be read.

        A model that a run has left may begin that run once more, or another one.
        """
        now = _values(self.model)
        left, name, first = STARTED_AS.get(self.model, (None, None, now))
        for values in (first, now) if left == _digest(now) else (now,):
            self.first = values
            _assign(self.model.variables, values)
            self.name = fingerprint()
            self.state = self.path.with_name(f"{self.path.name}.{self.name[:12]}.state")
            if self.name == name or self.state.exists():
                break
        self.best = self.model.get_weights()
        variables = self._variables()
        try:
            with np.load(_found(self.state), allow_pickle=False) as saved:
                record = json.loads(str(saved["record"]))
                values = [saved[f"v{i}"] for i in range(len(saved.files) - 1)]
            self.record, self.best = record, values[len(variables) :]
            _assign(variables, values[: len(variables)])
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
            self._keep()
            with tempfile.TemporaryDirectory() as place:  # what cannot be read back is not trained
                models.save(self.model, Path(place, "model.keras"))
        if not self.state.exists():  # it came from another machine's disk
            self._keep()
        if self.record["finished"]:
            self._show("found finished")

    def _keep(self):
        """Write the whole state, which appears under its name only when it is complete."""
        values = [*map(ops.convert_to_numpy, self._variables()), *self.best]
        state = {f"v{i}": value for i, value in enumerate(values)}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with settings.replacing(self.state) as beside, open(beside, "wb") as file:
                np.savez(file, record=json.dumps(self.record), **state)
        except (OSError, ValueError) as error:
            found = f"{str(self.path)!r}: {getattr(error, 'strerror', error)}"
            raise ValueError(f"path must be a place that can be written, got {found}") from None

    def on_train_begin(self, logs=None):
        self.started = time.perf_counter() - self.record["seconds"]
        self._show("first steps are being compiled")

    def on_test_end(self, logs=None):
        if logs["loss"] < min([np.inf, *self.record["validation_loss"]]):
            self.best = self.model.get_weights()
            models.save(self.model, self.path, tried=True)

    def on_epoch_end(self, epoch, logs=None):
        record, step = self.record, min((epoch + 1) * self.per_round, self.steps)
        record["seconds"] = time.perf_counter() - self.started
        if not np.isfinite([logs["loss"], logs["val_loss"]]).all():
            self.model.stop_training = record["finished"] = True
            self._show(f"stopped: the loss is no longer finite after {step:,} steps")
            return
        record["step"].append(step)
        record["second"].append(record["seconds"])
        record["loss"].append(float(logs["loss"]))
        record["validation_loss"].append(float(logs["val_loss"]))
        record["validation_mse"].append(float(logs["val_mean_squared_error"]))
        best = int(np.argmin(record["validation_loss"]))
        record["best_step"] = record["step"][best]
        self._keep()
        self._show(f"validation error {record['validation_mse'][best]:.3g} at best")

    def end(self):
        """Put the best network in its places, and note that it is there to be found again."""
        self.model.set_weights(self.best)
        models.save(self.model, self.path, tried=True)
        if self.started is not None:
            self.record["finished"] |= self.record["step"][-1:] == [self.steps]
            self.record["stopped"] = not self.record["finished"]
            self._keep()

    def leave(self):
        """Remember what the model object began as, for the next call with it."""
        STARTED_AS[self.model] = _digest(_values(self.model)), self.name, self.first

    def _variables(self):
        """Everything that training changes: weights, seeds, optimizer moments, step counter."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def _show(self, news):
        """One line that renews itself in a notebook; one line per round elsewhere."""
        done = self.record["step"][-1] if self.record["step"] else 0
        line = (
            f"{self.model.name:20s} {settings.bar(done / self.steps, sys.stdout)} "
            f"{done:,} of {self.steps:,} steps, {self.record['seconds']:.0f} s, {news}"
        )
        if get_ipython() is None:
            settings.say(line)
            sys.stdout.flush()
        elif self.display is None:
            self.display = display({"text/plain": line}, raw=True, display_id=True)
        else:
            self.display.update({"text/plain": line}, raw=True)

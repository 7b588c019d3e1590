"""One way to fit a network: Adam under a cosine schedule, validated, saved and resumable."""

import hashlib
import json
import os
import re
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from IPython import get_ipython
from IPython.display import display
from keras import ops


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


def distribute(strategy="single"):
    """Say on which devices the networks train that are built from here on.

    Batches stay as they are: several devices share the waveforms of each and add up what they
    learn, so a run gives the same network on any number of them, up to rounding. TensorFloat-32,
    which NVIDIA's cards would otherwise use for products of float32, is switched off: its ten bits
    hold some 60 dB, and networks here reach twice that.

    Args:
        strategy: "single" for the device that TensorFlow picks; "mirrored" for all GPUs of this
            machine, or for all its processors as TensorFlow counts them where it has no GPU.

    Returns:
        str: the devices that take part.

    Raises:
        ValueError: if `strategy` is anything else.

    Source: `tf.distribute.MirroredStrategy`; docs/performance.md.
    """
    if strategy not in ("single", "mirrored"):
        raise ValueError(f"strategy must be single or mirrored, got {strategy!r}")
    tf.config.experimental.enable_tensor_float_32_execution(False)
    kinds = (tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU"))
    devices = [device.name.removeprefix("/device:") for device in next(filter(None, kinds))]
    if strategy == "single":
        return devices[0]
    tf.distribute.experimental_set_strategy(tf.distribute.MirroredStrategy(devices))
    return ", ".join(devices)


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
):
    """Train a network, keep its best weights, and survive interruption.

    The learning rate rises for a twentieth of the steps, then falls along a cosine, almost to zero.
    After every `validations`-th part of the steps the validation data are scored: if they are the
    best so far, the network is saved to `path`, and the whole state goes to `path` + ".state".
    An interrupted run that is started again with the same arguments goes on from there and ends
    with the same weights; a finished run leaves no state behind, so the next one starts afresh.

    Args:
        model: Keras model; holds its best weights when this returns.
        train: endless tf.data.Dataset of (corrupted, clean).
        validation: (corrupted, clean) arrays, drawn from another seed.
        steps: batches to train on, a multiple of `validations`.
        path: file to keep the best network in, ending in .keras.
        learning_rate: the schedule's peak.
        loss: a Keras loss, a function of (clean, estimate), or a name.
        validations: how often to score the validation data.
        jit_compile: as in `keras.Model.compile`; True has XLA fuse the step, which takes seconds to
            compile; what it gains depends on the machine (docs/performance.md).
        ema_momentum: of an exponential moving average of the weights, which is then what is scored
            and kept: it sees past the noise of the last steps long before the schedule ends. As in
            `keras.optimizers.Adam`; 0 for none.

    Returns:
        dict: "parameters", "steps", "seconds" of training and validation, "best_step", and the
        curves "step", "second", "loss", "validation_loss" and "validation_mse".

    Raises:
        ValueError: if `path` does not end in .keras or `steps` is no multiple of `validations`.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"path must end in .keras, got {str(path)!r}")
    if validations < 1 or steps < validations or steps % validations:
        rule = f"steps must be a positive multiple of validations ({validations}), at least 1"
        raise ValueError(f"{rule}, got {steps}")
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 100, steps, warmup_target=learning_rate, warmup_steps=steps // 20
    )
    model.compile(
        keras.optimizers.Adam(schedule, use_ema=ema_momentum > 0, ema_momentum=ema_momentum),
        loss=loss,
        metrics=["mean_squared_error"],
        jit_compile=jit_compile,
    )
    model.optimizer.build(model.trainable_variables)
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = [steps, validations, learning_rate, ema_momentum]
    run = _Run(path, steps, _fingerprint(model, train, validation, settings, loss))
    done = run.resume(model)
    per_round = steps // validations
    model.fit(
        train.skip(done * per_round),
        validation_data=validation,
        validation_batch_size=512,
        steps_per_epoch=per_round,
        initial_epoch=done,
        epochs=validations,
        # In this order: the average is in place when `run` hears that a validation has ended.
        callbacks=[run, *([keras.callbacks.SwapEMAWeights()] if ema_momentum else [])],
        shuffle=False,
        verbose=0,
    )
    model.set_weights(keras.saving.load_model(path, compile=False).get_weights())
    run.state.unlink(missing_ok=True)
    return run.record


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
    """
    networks, records = [], []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        network = build()
        file = str(path).format(seed=seed)
        records.append(fit(network, pipeline(seed=seed), validation, path=file, **options))
        networks.append(network)
    return networks, records


def save(model, path):
    """Save a network so that `path` holds the old one or the new one, never half of either."""
    beside = Path(path).with_suffix(".partial.keras")
    try:
        model.save(beside)
        keras.saving.load_model(beside, compile=False)  # what cannot be read back is not kept
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _fingerprint(model, train, validation, settings, loss):
    """Names a run by all that decides its outcome: network, settings, validation data, the first
    batch, and the loss by what it makes of that batch."""
    corrupted, clean = next(train.take(1).as_numpy_iterator())
    value = ops.convert_to_numpy(keras.losses.get(loss)(clean, ops.convert_to_tensor(corrupted)))
    network = re.sub(r'_\d+"', '"', model.to_json())  # a name tells how many were made before it
    digest = hashlib.sha256(json.dumps([network, *settings]).encode())
    for array in (corrupted, clean, value, *validation, *model.get_weights()):
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


class _Run(keras.callbacks.Callback):
    """Follows one fit: shows progress, records the curves, saves the best network and the state."""

    def __init__(self, path, steps, fingerprint):
        super().__init__()
        self.path, self.steps, self.fingerprint = path, steps, fingerprint
        self.state = path.with_suffix(".keras.state")
        curves = ("step", "second", "loss", "validation_loss", "validation_mse")
        self.record = {"steps": steps, "seconds": 0.0} | {curve: [] for curve in curves}
        self.display = None

    def resume(self, model):
        """Continue from the state of an interrupted run like this one; returns rounds done."""
        try:
            with open(self.state, "rb") as file, np.load(file, allow_pickle=False) as saved:
                about = json.loads(str(saved["about"]))
                values = [saved[f"v{i}"] for i in range(len(saved.files) - 1)]
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
            return 0
        if about["fingerprint"] != self.fingerprint:
            return 0
        self.record = about["record"]
        for variable, value in zip(_variables(model), values, strict=True):
            variable.assign(value)
        return len(self.record["step"])

    def on_train_begin(self, logs=None):
        self.record["parameters"] = self.model.count_params()
        self.started = time.perf_counter() - self.record["seconds"]
        self._show("first steps are being compiled")

    def on_test_end(self, logs=None):
        losses = self.record["validation_loss"]
        if not losses or logs["loss"] < min(losses):
            save(self.model, self.path)

    def on_epoch_end(self, epoch, logs=None):
        record = self.record
        record["seconds"] = time.perf_counter() - self.started
        record["step"].append((epoch + 1) * self.steps // self.params["epochs"])
        record["second"].append(record["seconds"])
        record["loss"].append(float(logs["loss"]))
        record["validation_loss"].append(float(logs["val_loss"]))
        record["validation_mse"].append(float(logs["val_mean_squared_error"]))
        best = int(np.argmin(record["validation_loss"]))
        record["best_step"] = record["step"][best]
        self._save_state()
        self._show(f"validation error {record['validation_mse'][best]:.3g} at best")

    def _save_state(self):
        about = json.dumps({"fingerprint": self.fingerprint, "record": self.record})
        values = {f"v{i}": np.asarray(v) for i, v in enumerate(_variables(self.model))}
        beside = self.state.with_suffix(".partial")
        with open(beside, "wb") as file:
            np.savez(file, about=np.array(about), **values)
        os.replace(beside, self.state)

    def _show(self, news):
        """One line that renews itself in a notebook; one line per round elsewhere."""
        done = self.record["step"][-1] if self.record["step"] else 0
        bar = "█" * round(20 * done / self.steps)
        line = (
            f"{self.model.name:20s} {bar:░<20s} {done:,} of {self.steps:,} steps, "
            f"{self.record['seconds']:.0f} s, {news}"
        )
        if get_ipython() is None:
            print(line, flush=True)
        elif self.display is None:
            self.display = display({"text/plain": line}, raw=True, display_id=True)
        else:
            self.display.update({"text/plain": line}, raw=True)


def _variables(model):
    """Everything that training changes: weights, optimizer moments and the step counter."""
    return [*model.weights, *model.optimizer.variables]

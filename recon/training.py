"""One way to fit a network: Adam under a cosine schedule, validated, saved and resumable."""

import hashlib
import json
import os
import re
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from IPython import get_ipython
from IPython.display import display
from keras import ops

from recon import models, settings

CURVES = ("step", "second", "loss", "validation_loss", "validation_mse")
# Else NVIDIA's cards round products of float32 to ten bits, which is an SNR of some 60 dB; networks
# here reach twice that.
tf.config.experimental.enable_tensor_float_32_execution(False)


@keras.saving.register_keras_serializable(package="recon")
def log_mean_squared_error(clean, estimate):
    """Logarithm of each waveform's mean squared error, [batch]; Keras takes the mean.

    Halving the error of a quiet waveform counts as much as halving that of a loud one, and the
    gradient keeps its size as the error falls. 1e-10 keeps a perfect waveform finite.
    """
    return ops.log(ops.mean(ops.square(clean - estimate), axis=(1, 2)) + 1e-10)


def distribute():
    """Have `fit` train on all devices that JAX sees, those of other machines included.

    Called once on every machine, before any network is made; Keras' environment variables say which
    machine it is (docs/machines.md). Each batch is shared out among all.
    """
    import jax

    jax.config.update("jax_default_matmul_precision", "highest")
    if tf.config.list_physical_devices("GPU"):
        tf.config.set_visible_devices([], "GPU")  # it would take the memory, and only makes data
    if "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ:
        keras.distribution.initialize()
    distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
    keras.distribution.set_distribution(distribution)


def fit(
    model,
    train,
    validation,
    *,
    steps,
    path,
    learning_rate=2e-3,
    cosine=True,
    loss="mean_squared_error",
    validations=20,
    jit_compile="auto",
    ema_momentum=0.0,
    callbacks=(),
):
    """Train a network, keep its best weights, and survive interruption.

    Whenever the validation score improves, the network is saved to `path`; the whole state goes
    beside it. If the state is of a run with the same layers, settings and data, a finished run is
    loaded and a stopped one goes on, whatever weights the model has. Else training begins at the
    model's weights. Data without a seed are other data.

    Args:
        model: functional Keras model; holds its best weights when this returns.
        train: endless tf.data.Dataset of (corrupted, clean).
        validation: (corrupted, clean) arrays, drawn from another seed.
        steps: batches to train on.
        path: file to keep the best network in, ending in .keras.
        learning_rate: a number, or a Keras schedule.
        cosine: if True, a number is the peak of a rate that rises for a twentieth of the steps and
            falls along a cosine. If False it stays, and Keras' callbacks may change it.
        loss, jit_compile: as in `keras.Model.compile`.
        validations: how often to score the validation data.
        ema_momentum: of a moving average of the weights, which is then scored and kept; 0 for none.
        callbacks: of Keras; an epoch is the time between two validations.

    Returns:
        dict: "parameters", "steps", "seconds", "finished", and CURVES.
    """
    adam = _adam(learning_rate, cosine, steps, ema_momentum)
    # With a metric's name Keras would make its variables late, and trace every step twice.
    model.compile(adam, loss, metrics=[keras.metrics.MeanSquaredError()], jit_compile=jit_compile)
    per_round = -(-steps // validations)
    run = _Run(path, model, steps, _name(model, train, validation, [steps, per_round]))
    average = [keras.callbacks.SwapEMAWeights()] if ema_momentum else []
    done = int(adam.iterations)
    if not run.record["finished"]:
        with warnings.catch_warnings():  # of a last round that is shorter; of data not shuffled
            warnings.filterwarnings("ignore", ".*(ran out of data|shuffle=True)")
            model.fit(
                _rest(train, done, steps),
                validation_data=validation,
                validation_batch_size=512,
                steps_per_epoch=per_round,
                initial_epoch=done // per_round,
                epochs=-(-steps // per_round),
                callbacks=[run, *average, *callbacks],  # `run` first, while the average is in place
                verbose=0,
            )
    return run.finish()


def fit_seeds(build, pipeline, validation, *, seeds, path, **options):
    """Train one network per seed, which decides its first weights and its training data.

    Args:
        build: callable that makes a network.
        pipeline: callable (seed=...) that makes its training data.
        validation, options: as in `fit`.
        seeds: whole numbers.
        path: as in `fit`, with {seed} in it.

    Returns:
        Two lists, of networks and of what `fit` returned.
    """
    networks, records = [], []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        networks.append(build())
        file, train = str(path).replace("{seed}", str(seed)), pipeline(seed=seed)
        records.append(fit(networks[-1], train, validation, path=file, **options))
    return networks, records


def _adam(learning_rate, cosine, steps, ema_momentum):
    schedules = keras.optimizers.schedules
    if cosine and not isinstance(learning_rate, schedules.LearningRateSchedule):
        rise = {"warmup_target": learning_rate, "warmup_steps": steps // 20}
        learning_rate = schedules.CosineDecay(learning_rate / 100, steps, **rise)
    return keras.optimizers.Adam(learning_rate, use_ema=ema_momentum > 0, ema_momentum=ema_momentum)


def _rest(train, done, steps):
    """The batches that are left to train on, of each this process's share."""
    batches = train.skip(done).take(steps - done)
    machines = keras.distribution.distribution()
    if machines and machines.num_processes > 1:
        count, mine = machines.num_processes, machines.data_shard_id
        batches = batches.map(lambda *pair: tuple(tf.split(part, count)[mine] for part in pair))
    return batches.apply(tf.data.experimental.assert_cardinality(steps - done))


def _name(model, train, validation, about):
    """A name for a run: a digest of the compiled model, the validation data and the first batch."""
    about = json.dumps([*about, keras.saving.serialize_keras_object(model)], default=str)
    about = re.sub(r'_\d+"', '"', about)  # how many layers were made before
    digest = hashlib.sha256(about.encode())
    for part in (*validation, *next(train.take(1).as_numpy_iterator())):
        digest.update(np.ascontiguousarray(part))
    return digest.hexdigest()


class _Run(keras.callbacks.Callback):
    """Keeps the best network, the curves and the whole state of one fit, and shows a line of it."""

    def __init__(self, path, model, steps, name):
        super().__init__()
        self.set_model(model)
        self.path, self.best = Path(path), model.get_weights()
        model.optimizer.build(model.trainable_variables)
        # Everything that training changes: weights, seeds, optimizer moments, step counter.
        self.variables = [*model.variables, *model.optimizer.variables]
        self.state = self.path.with_name(f"{self.path.name}.state")
        self.record = {"name": name, "parameters": model.count_params(), "steps": steps}
        self.record |= {"seconds": 0.0, "finished": False} | {curve: [] for curve in CURVES}
        self.line = display("", display_id=True) if get_ipython() else None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.state.exists():
            self._go_on()
        self.started = time.perf_counter() - self.record["seconds"]
        self._show("first steps are being compiled")

    def _go_on(self):
        with np.load(self.state) as saved:
            record = json.loads(str(saved["record"]))
            values = [saved[f"arr_{i}"] for i in range(len(saved.files) - 1)]
        if record["name"] != self.record["name"]:
            print(f"{self.path} held another run; this one begins at the model's weights")
            return
        for variable, value in zip(self.variables, values, strict=False):
            variable.assign(value)
        self.record, self.best = record, values[len(self.variables) :]

    def on_test_end(self, logs=None):
        if logs["loss"] < min(self.record["validation_loss"], default=np.inf):
            self.best = self.model.get_weights()
            models.save(self.model, self.path)

    def on_epoch_end(self, epoch, logs=None):
        record, losses = self.record, [logs["loss"], logs["val_loss"]]
        record["seconds"] = time.perf_counter() - self.started
        if not np.isfinite(losses).all():
            self.model.stop_training = True
            return self._show("the loss is no longer finite")
        steps = int(self.model.optimizer.iterations)
        values = [steps, record["seconds"], *losses, logs["val_mean_squared_error"]]
        for curve, value in zip(CURVES, values, strict=True):
            record[curve].append(value)
        self._keep()
        return self._show(f"validation error {values[-1]:.3g}")

    def finish(self):
        """Put the best network in its places, and note that it is there to be found again."""
        self.model.set_weights(self.best)
        models.save(self.model, self.path)
        self.record["finished"] = True
        self._keep()
        self._show("finished")
        return self.record

    def _keep(self):
        values = [*map(ops.convert_to_numpy, self.variables), *self.best]
        with settings.replacing(self.state) as beside, open(beside, "wb") as file:
            np.savez(file, *values, record=json.dumps(self.record))

    def _show(self, news):
        """One line that renews itself in a notebook; one line per round elsewhere."""
        done, steps = max(self.record["step"], default=0), self.record["steps"]
        line = f"{self.model.name}: {done:,} of {steps:,} steps, {self.record['seconds']:.0f} s"
        if self.line:
            self.line.update({"text/plain": f"{line}, {news}"}, raw=True)
        else:
            print(f"{line}, {news}", flush=True)

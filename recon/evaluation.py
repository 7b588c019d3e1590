"""Score many methods on the same held-out data, and lay the scores out as a table."""

from contextlib import suppress
from functools import partial

import numpy as np

from recon import checks, metrics

BATCH_SIZE = 512  # waveforms that a method gets at a time
METHODS = partial(checks.named, rule=checks.FUNCTION)
MEASURED = partial(checks.samples, shape=("files",), finite=False)


def score(methods, corrupted, clean, *, limit=None):
    """Apply every method to the same waveforms and measure what comes out.

    Args:
        methods: {name: callable}, each mapping a batch like `corrupted` to an estimate of its
            shape; a Keras model is one. Or {name: list of callables}, one network per seed.
        corrupted, clean: float arrays [waveforms, n_samples, 1].
        limit: the least mean squared error that any method can reach, or None.

    Returns:
        {name: {"mse", "gain_db", "snr_db"[, "to_limit_db"]}}: mean squared error over the set,
        how far below the corrupted input's it lies, mean over waveforms of the SNR, and how far
        the error lies above the limit. Of several seeds the mean, and with "_spread" the standard
        deviation.

    Raises:
        ValueError: if a method returns another shape or numbers that are not finite.
    """
    checks.alike(corrupted=corrupted, clean=clean)
    scores = {}
    for name, method in methods.items():
        seeds = method if isinstance(method, list | tuple) else [method]
        rows = [_score(f"methods[{name!r}]", one, corrupted, clean, limit) for one in seeds]
        scores[name] = rows[0] if len(rows) == 1 else over_seeds(rows)
    return scores


def _score(name, method, corrupted, clean, limit):
    estimate = apply(checks.FUNCTION(name, method), corrupted, label=name)
    error = float(np.mean(metrics.mse(clean, estimate)))
    score = {
        "mse": error,
        "gain_db": metrics.gain_db(clean, corrupted, estimate),
        "snr_db": float(np.mean(metrics.snr_db(clean, estimate))),
    }
    if limit is not None:
        with np.errstate(divide="ignore", invalid="ignore"):  # the limit may be 0
            score["to_limit_db"] = float(10 * np.log10(np.divide(error, limit)))
    return score


@checks.checked(scores=None)
def over_seeds(scores):
    """Scores of one network trained with several seeds, as one row of a table.

    Args:
        scores: list of {key: number}, one per seed, at least two.

    Returns:
        {key: mean over the seeds, key + "_spread": the standard deviation of a sample}.

    >>> over_seeds([{"gain_db": 1.0}, {"gain_db": 2.0}, {"gain_db": 3.0}])
    {'gain_db': 2.0, 'gain_db_spread': 1.0}
    """
    several = isinstance(scores, list | tuple) and len(scores) > 1
    several = several and all(
        isinstance(one, dict) and set(one) == set(scores[0]) for one in scores
    )
    checks.require(several, "scores must be two dicts or more of the same keys", repr(scores))
    row = {}
    for key in scores[0]:
        values = MEASURED(f"scores[...][{key!r}]", [score[key] for score in scores])
        with np.errstate(invalid="ignore"):  # an SNR may be infinite
            row |= {key: float(np.mean(values)), f"{key}_spread": float(np.std(values, ddof=1))}
    return row


def group_means(values, groups):
    """Mean of `values` within each group, in the order of the groups' sorted labels.

    >>> group_means([1.0, 2.0, 6.0], [7, 5, 5]).tolist()
    [4.0, 1.0]
    """
    values, places = checks.samples("values", values, shape=("count",)), np.zeros(0)
    with suppress(Exception):  # what cannot be sorted, or is ragged
        _, places = np.unique(checks.listed(groups), return_inverse=True)
    rule = f"groups must be {len(values)} labels that can be sorted"
    checks.require(places.shape == values.shape, rule, repr(groups))
    return np.array([values[places == place].mean() for place in np.unique(places)])


@checks.checked(corrupted=partial(checks.samples, dtype=None, empty=False))
def apply(method, corrupted, *, label="method"):
    """The method's estimate of every waveform, batch by batch so that memory stays bounded; the
    label is what the method goes by if it answers wrongly."""
    batches = (corrupted[i : i + BATCH_SIZE] for i in range(0, len(corrupted), BATCH_SIZE))
    return np.concatenate([_answer(label, method, batch) for batch in batches])


def _answer(name, method, signal, *more):
    """What a method makes of a signal, of its shape and finite."""
    answer = method(signal.copy(), *more)  # it may work in place
    return checks.samples(f"{name}(...)", answer, dtype=None, shape=signal.shape)


def corrupted_as(damage, clean, index, *, seed):
    """Recording number `index` corrupted as the pair (seed, index) decides, always alike.

    Args:
        damage: callable (clean [1, n_samples], seed) -> corrupted, as `corruptors.noise` and
            `corruptors.hold` return.
        clean: float array [1, n_samples, 1].
        index, seed: whole numbers.

    Returns:
        float array [1, n_samples, 1].
    """
    return _answer("damage", damage, clean[..., 0], (seed, index))[..., None]


@checks.checked(methods=METHODS)
def score_files(methods, recordings, damage, *, seed, measures=None):
    """Damage and restore each recording whole; measure each file by itself.

    Args:
        methods: {name: callable}, each mapping [1, n_samples, 1] to the same shape.
        recordings: {name: float array [n_samples]}, the clean signals.
        damage, seed: as in `corrupted_as`; every method gets the same corrupted signal.
        measures: {name: metric of (reference, estimate)}; the SNR alone if None.

    Returns:
        {method: {measure: float array [recordings]}}; sample n of an estimate is compared with
        sample n of the recording.
    """
    measures = {"snr_db": metrics.snr_db} | (measures or {})
    scores = {name: {measure: [] for measure in measures} for name in methods}
    for index, (file, samples) in enumerate(recordings.items()):
        clean = checks.SIGNAL(f"recordings[{file!r}]", samples)[None, :, None]
        corrupted = corrupted_as(damage, clean, index, seed=seed)
        for name, method in methods.items():
            estimate = _answer(f"methods[{name!r}]", method, corrupted)
            for measure, metric in measures.items():
                value = MEASURED(f"measures[{measure!r}](...)", metric(clean, estimate), shape=(1,))
                scores[name][measure].append(value[0])
    return {n: {m: np.array(values) for m, values in row.items()} for n, row in scores.items()}


@checks.checked(hold_length=partial(checks.LENGTH, low=2))
def spectral_measures(hold_length):
    """What to measure beside the SNR on recordings quantized in time: {name: metric}.

    The log-spectral distance is split at the knots' Nyquist limit, 1 / hold_length of the band.
    """
    limit = 1 / hold_length
    distance = metrics.log_spectral_distance
    return {
        "si_sdr_db": metrics.si_sdr_db,
        "lsd_below": partial(distance, band=(0.0, limit)),
        "lsd_above": partial(distance, band=(limit, 1.0)),
    }


@checks.checked(clean=None, estimate=None)
def worst(clean, estimate):
    """The three waveforms with the lowest SNR and the one at the median: {title: index}."""
    three = np.ndim(clean) > 1 and len(clean) > 2
    checks.require(three, "clean must be three waveforms or more", np.shape(clean))
    order = np.argsort(metrics.snr_db(clean, estimate))
    places = {"worst": 0, "second worst": 1, "third worst": 2, "median": len(order) // 2}
    return {title: order[place] for title, place in places.items()}


def _measured(name, row):
    """The rule of what was measured, the SNR at least."""
    row = checks.named(name, row, rule=partial(MEASURED, empty=False))
    checks.require("snr_db" in row, f"{name} must hold snr_db", list(row))
    return row


@checks.checked(scores=partial(checks.named, rule=_measured))
def per_file(scores):
    """What `score_files` measured, summed up for a table: the mean of each measure over the files,
    and the SNR's standard deviation and lowest value."""
    with np.errstate(invalid="ignore"):  # an SNR may be infinite
        return {
            name: {measure: float(np.mean(values)) for measure, values in row.items()}
            | {"spread_db": float(np.std(row["snr_db"])), "worst_db": float(np.min(row["snr_db"]))}
            for name, row in scores.items()
        }


@checks.checked(methods=METHODS, **dict.fromkeys(("corrupted", "clean", "whole"), checks.SIGNAL))
def seams(methods, corrupted, clean, frame_length, *, whole, width=8):
    """How well frames join: the error next to seams over the error elsewhere.

    Frames are laid out afresh at every multiple of 2 * width, so that each sample is at each
    distance from a seam exactly once: what differs between distances is not the signal's doing, but
    the seam's. A network of strides adds a little where the seams lie on its own stride.

    Args:
        methods: {name: callable}, each mapping a signal [n_samples] to an estimate of its shape,
            frame by frame from its start on.
        corrupted, clean: float arrays [n_samples].
        frame_length: samples between seams, a multiple of 2 * width and larger.
        whole: float array [n_samples], the estimate made of the whole signal at once.
        width: samples on either side of a seam that count as next to it.

    Returns:
        {name: {"seam_ratio", "by_distance", "difference"}}: the ratio of mean squared errors next
        to seams and elsewhere, the root mean squared errors at less than 1, 2, ... widths from a
        seam, and the largest difference from `whole`.

    Raises:
        ValueError: if frame_length is no larger multiple of 2 * width.
    """
    checks.alike(corrupted=corrupted, clean=clean, whole=whole)
    fits = frame_length % (2 * width) == 0 and frame_length > 2 * width
    rule = f"frame_length must be a larger multiple of 2 * width = {2 * width}"
    checks.require(fits, rule, frame_length)
    scores = {}
    for name, method in methods.items():
        groups = np.zeros(frame_length // width // 2)
        for offset in range(0, frame_length, 2 * width):
            shifted = np.concatenate([np.zeros(offset, np.float32), corrupted])
            answer = _answer(f"methods[{name!r}]", method, shifted)
            error = (answer[offset:].astype(np.float64) - clean) ** 2
            place = (np.arange(len(clean)) + offset) % frame_length
            distance = np.minimum(place, frame_length - 1 - place) // width
            groups += np.bincount(distance, weights=error, minlength=len(groups))
        groups /= len(clean)
        with np.errstate(divide="ignore", invalid="ignore"):  # there may be no error at all
            ratio = float(groups[0] / groups[1:].mean())
        answer = _answer(f"methods[{name!r}]", method, corrupted)
        scores[name] = {"seam_ratio": ratio, "by_distance": np.sqrt(groups).tolist()}
        scores[name]["difference"] = float(np.abs(answer - whole).max())
    return scores


FILE_COLUMNS = {
    "snr_db": ("mean SNR per file, dB", ".1f"),
    "spread_db": ("standard deviation, dB", ".1f"),
    "worst_db": ("worst file, dB", ".1f"),
    "si_sdr_db": ("SI-SDR, dB", ".1f"),
    "lsd_below": ("LSD below the knots' Nyquist limit", ".2f"),
    "lsd_above": ("LSD above it", ".2f"),
}
SEAM_COLUMNS = {
    "difference": ("largest difference from the whole", ".1e"),
    "seam_ratio": ("MSE at seams / elsewhere", ".3f"),
}


def table(scores, columns, *, heading="method", best_last=True):
    """Scores as a Markdown table.

    Args:
        scores: {method: {key: number}}.
        columns: {key: (heading, format)}, such as {"gain_db": ("gain, dB", ".1f")}; a column
            for which no row has a number is left out.
        heading: what the rows are.
        best_last: whether the first column's number sorts the rows, one without it last.

    >>> print(table({"b": {"x": 2.0}, "a": {"x": 1.0}}, {"x": ("x, dB", ".1f")}))
    | method | x, dB |
    |:---|---:|
    | a | 1.0 |
    | b | 2.0 |
    """
    known = {key for row in scores.values() for key, value in row.items() if value is not None}
    checks.require(known & set(columns), f"columns must name some of {known}", set(columns))
    columns = {key: column for key, column in columns.items() if key in known}
    rows = list(scores.items())
    if best_last:
        rows.sort(key=lambda row: _place(row[1].get(next(iter(columns)))))
    lines = [
        f"| {heading} | " + " | ".join(heading for heading, _ in columns.values()) + " |",
        "|:---|" + "---:|" * len(columns),
    ]
    for name, row in rows:
        cells = [_cell(key, row.get(key), form) for key, (_, form) in columns.items()]
        name = str(name).replace("|", r"\|")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _place(value):
    """A number to sort by: what is none comes last."""
    with suppress(TypeError, ValueError, OverflowError):
        return float("inf") if np.isnan(float(value)) else float(value)
    return float("inf")


def _cell(key, value, form):
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return format(value, form).replace("-", "−")
    except (TypeError, ValueError, OverflowError):
        rule = f"columns[{key!r}] must have a format for {value!r}"
        raise ValueError(f"{rule}, got {form!r}") from None


checks.guard(__name__)

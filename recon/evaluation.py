"""Score many methods on the same held-out data, and lay the scores out as a table."""

import numpy as np

from recon import metrics

BATCH_SIZE = 512  # waveforms that a method gets at a time


def score(methods, corrupted, clean, *, limit=None):
    """Apply every method to the same waveforms and measure what comes out.

    Args:
        methods: {name: callable}, such as a Keras model, or {name: list of callables}, one network
            per seed.
        corrupted, clean: float arrays [waveforms, n_samples, 1].
        limit: the least mean squared error that any method can reach, or None.

    Returns:
        {name: {"mse", "gain_db", "snr_db"[, "to_limit_db"]}}, the last two the mean SNR of the
        waveforms and how far the error lies above the limit; of several seeds the mean, and with
        "_spread" the deviation.
    """
    scores = {}
    for name, method in methods.items():
        seeds = method if isinstance(method, list) else [method]
        rows = [_score(one, corrupted, clean, limit) for one in seeds]
        scores[name] = rows[0] if len(rows) == 1 else over_seeds(rows)
    return scores


def _score(method, corrupted, clean, limit):
    estimate = apply(method, corrupted)
    error = float(np.mean(metrics.mse(clean, estimate)))
    row = {"mse": error, "gain_db": metrics.gain_db(clean, corrupted, estimate)}
    row["snr_db"] = float(np.mean(metrics.snr_db(clean, estimate)))
    if limit is not None:
        with np.errstate(divide="ignore", invalid="ignore"):  # the limit may be 0
            row["to_limit_db"] = float(10 * np.log10(np.divide(error, limit)))
    return row


def over_seeds(scores):
    """Mean and, with "_spread", standard deviation of what several seeds scored, {key: number}.

    >>> over_seeds([{"gain_db": 1.0}, {"gain_db": 2.0}, {"gain_db": 3.0}])
    {'gain_db': 2.0, 'gain_db_spread': 1.0}
    """
    row = {}
    for key in scores[0]:
        values = [score[key] for score in scores]
        with np.errstate(invalid="ignore"):  # an SNR may be infinite
            row |= {key: float(np.mean(values)), f"{key}_spread": float(np.std(values, ddof=1))}
    return row


def group_means(values, groups):
    """Mean of `values` within each group, in the order of the groups' sorted labels.

    >>> group_means([1.0, 2.0, 6.0], [7, 5, 5]).tolist()
    [4.0, 1.0]
    """
    _, places = np.unique(groups, return_inverse=True)
    return np.bincount(places, values) / np.bincount(places)


def apply(method, corrupted):
    """The method's estimate of every waveform, batch by batch so that memory stays bounded."""
    batches = (corrupted[i : i + BATCH_SIZE] for i in range(0, len(corrupted), BATCH_SIZE))
    return np.concatenate([np.asarray(method(batch)) for batch in batches])


def corrupted_as(damage, clean, index, *, seed):
    """Recording number `index` corrupted as the pair (seed, index) decides, always alike.

    Args:
        damage: callable (clean [1, n_samples], seed) -> corrupted, as `corruptors.noise` returns.
        clean: float32 array [1, n_samples, 1].
        index, seed: whole numbers.
    """
    return np.asarray(damage(clean[..., 0], (seed, index)))[..., None]


def score_files(methods, recordings, damage, *, seed, measures=None):
    """Damage and restore each recording whole: {method: {measure: array [recordings]}}.

    Args:
        methods: {name: callable}, each mapping [1, n_samples, 1] to the same shape.
        recordings: {name: float32 array [n_samples]}, the clean signals.
        damage, seed: as in `corrupted_as`; every method gets the same corrupted signal.
        measures: {name: metric of (reference, estimate)} beside the SNR.
    """
    measures = {"snr_db": metrics.snr_db} | (measures or {})
    scores = {name: {measure: [] for measure in measures} for name in methods}
    for index, samples in enumerate(recordings.values()):
        clean = samples[None, :, None]
        corrupted = corrupted_as(damage, clean, index, seed=seed)
        for name, method in methods.items():
            estimate = np.asarray(method(corrupted))
            for measure, metric in measures.items():
                scores[name][measure].append(metric(clean, estimate)[0])
    return {n: {m: np.array(values) for m, values in row.items()} for n, row in scores.items()}


def per_file(scores):
    """What `score_files` measured, summed up for a table: the mean of each measure over the files,
    and the SNR's standard deviation and lowest value."""
    rows = {}
    for name, row in scores.items():
        with np.errstate(invalid="ignore"):  # an SNR may be infinite
            rows[name] = {measure: float(np.mean(values)) for measure, values in row.items()}
            rows[name]["spread_db"] = float(np.std(row["snr_db"]))
            rows[name]["worst_db"] = float(np.min(row["snr_db"]))
    return rows


def worst(clean, estimate):
    """The three waveforms with the lowest SNR and the one at the median: {title: index}."""
    order = np.argsort(metrics.snr_db(clean, estimate))
    places = {"worst": 0, "second worst": 1, "third worst": 2, "median": len(order) // 2}
    return {title: order[place] for title, place in places.items()}


FILE_COLUMNS = {
    "snr_db": ("mean SNR per file, dB", ".1f"),
    "spread_db": ("standard deviation, dB", ".1f"),
    "worst_db": ("worst file, dB", ".1f"),
    "si_sdr_db": ("SI-SDR, dB", ".1f"),
}


def table(scores, columns, *, heading="method", best_last=True):
    """Scores as a Markdown table.

    Args:
        scores: {method: {key: number}}.
        columns: {key: (heading, format)}; one for which no row has a number is left out.
        heading: what the rows are.
        best_last: whether the first column's number sorts the rows, one without it last.

    >>> print(table({"b": {"x": 2.0}, "a": {"x": 1.0}}, {"x": ("x, dB", ".1f")}))
    | method | x, dB |
    |:---|---:|
    | a | 1.0 |
    | b | 2.0 |
    """
    measured = {key for row in scores.values() for key in row}
    columns = {key: column for key, column in columns.items() if key in measured}
    rows = list(scores.items())
    if best_last:
        first = next(iter(columns))
        rows.sort(key=lambda row: row[1].get(first, np.inf))
    titles = " | ".join(title for title, _ in columns.values())
    lines = [f"| {heading} | {titles} |", "|:---|" + "---:|" * len(columns)]
    for name, row in rows:
        cells = [format(row[k], form) if k in row else "" for k, (_, form) in columns.items()]
        lines.append(f"| {name} | " + " | ".join(cells).replace("-", "−") + " |")
    return "\n".join(lines)

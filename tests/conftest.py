"""The tests run the quick profile on the recordings that ship, notebooks included."""

import os

import pytest

os.environ["RECON_PROFILE"] = "quick"
os.environ.pop("RECON_RECORDINGS", None)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["MPLBACKEND"] = "agg"
if "PYTEST_XDIST_WORKER" in os.environ:  # or threads of one worker would wait for another's
    for library in ("TF_NUM_INTRAOP", "TF_NUM_INTEROP", "OPENBLAS_NUM", "OMP_NUM"):
        os.environ[f"{library}_THREADS"] = "1"


LONGEST = ("test_rerun.py", "test_rerun_holds.py", "test_machines.py", "test_training.py")


def pytest_collection_modifyitems(items):
    """Longest files come first, or one worker would end long after the other."""
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.slow)

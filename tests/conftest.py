"""The tests run the quick profile on the recordings that ship, notebooks included."""

import os

import pytest

os.environ["RECON_PROFILE"] = "quick"
os.environ["RECON_STRICT"] = "1"  # a claim of a notebook that does not hold is an error
os.environ.pop("RECON_RECORDINGS", None)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["MPLBACKEND"] = "agg"


def pytest_collection_modifyitems(items):
    """The cells of the notebooks belong together, and take long."""
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.slow)

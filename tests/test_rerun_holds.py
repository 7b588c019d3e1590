"""The second notebook, as in test_rerun; a file of its own, so that both can run at a time."""

import pytest
from test_rerun import recordings, run_again

__all__ = ["recordings"]


@pytest.mark.slow
def test_inverse_quantization_runs_again(recordings, monkeypatch, tmp_path):
    run_again("InverseQuantization", recordings, monkeypatch, tmp_path)

"""The tests run the quick profile on synthesised recordings, notebooks included."""

import os

os.environ["RECON_PROFILE"] = "quick"
os.environ.pop("RECON_RECORDINGS", None)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["MPLBACKEND"] = "agg"

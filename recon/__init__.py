"""Neural Network Audio Reconstruction: restore signals that were damaged on purpose."""

"""Stable Diffusion as a model of this laboratory: every step of diffusers' own pipeline, as Steps.

Names load when they are first used; the libraries underneath are told to keep their log lines to themselves.
"""

import importlib
import os

_HOME = {"StableDiffusion": "model", "record": "recorder", "save_recording": "recording"}

__all__ = sorted(_HOME)

for _library in ("DIFFUSERS", "TRANSFORMERS"):  # read when the libraries are imported
    os.environ.setdefault(f"{_library}_VERBOSITY", "error")


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)

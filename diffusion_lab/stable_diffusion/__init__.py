"""Stable Diffusion as a model of this laboratory: every step of diffusers' own pipeline, as Steps.

Names load when they are first used; the libraries underneath are told to keep their log lines to themselves.
"""

import os

from ..lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__, __file__)

for _library in ("DIFFUSERS", "TRANSFORMERS"):  # read when the libraries are imported
    os.environ.setdefault(f"{_library}_VERBOSITY", "error")

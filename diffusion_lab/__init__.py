"""diffusion_lab: diffusion models on a laptop, every step of the way to be seen, run and rebuilt.

Four nouns carry everything: a schedule (how much signal is left at time t), a model (guesses the noise), a Step
(one point on the path) and a Trajectory (the whole path). Names load when they are first used, so that the import
itself costs nothing.
"""

import os

from .lazy import lazily

# On busy cores torch's threads spin while they wait for each other; sleeping costs an idle machine about a tenth.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Whoever imports diffusers after this package is spared its remarks on what is not installed; errors are still told.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazily(__name__, __file__)

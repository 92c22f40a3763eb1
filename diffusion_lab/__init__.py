"""diffusion_lab: diffusion models on a laptop, every step of the way to be seen, run and rebuilt.

Four nouns carry everything: a schedule (how much signal is left at time t), a model (guesses the noise), a Step
(one point on the path) and a Trajectory (the whole path). Names load when they are first used, so that the import
itself costs nothing.
"""

import importlib
import os

# On busy cores torch's threads spin while they wait for each other; sleeping costs an idle machine about a tenth.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Whoever imports diffusers after this package is spared its remarks on what is not installed; errors are still told.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")

__version__ = "0.1.0"

_HOME = {
    "LabError": "errors",
    "Step": "trajectory", "Steps": "trajectory", "Trajectory": "trajectory", "Recipe": "recipe",
    "Schedule": "schedules", "linear": "schedules", "cosine": "schedules", "scaled_linear": "schedules",
    "straight": "schedules",
    "add_noise": "mixing", "noise": "noising", "small_steps": "noising", "forward": "noising",
    "denoise": "sampling", "ddim_step": "sampling", "ancestral": "sampling", "dpmpp_2m": "sampling",
    "heun": "sampling", "sample": "sampling", "Sampler": "sampling", "SAMPLERS": "sampling",
    "Guess": "protocol", "guided": "guidance",
    "as_samples": "pixels", "as_pictures": "pixels",
    "Edit": "editing",
    "Exact": "exact", "LocalExact": "exact",
    "Toy": "toy", "StableDiffusion": "stable_diffusion", "record": "stable_diffusion",
    "Player": "player", "watch": "player",
}
_MODULES = ("editing", "errors", "exact", "figures", "guidance", "mixing", "networks", "noising", "pixels", "sampling",
            "schedules", "toy", "training", "trajectory", "worlds")

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, *_MODULES])

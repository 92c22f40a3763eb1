"""Every public name of the package leads to what it says."""

import importlib
import re
from pathlib import Path

import pytest

import diffusion_lab
from diffusion_lab import coursework, stable_diffusion, worlds

LAZY = [(package, name) for package in (diffusion_lab, coursework, stable_diffusion) for name in package.__all__]
STUB = Path(diffusion_lab.__file__).with_suffix(".pyi").read_text("utf-8")
ROOMS = re.findall(r"^from \. import (\w+) as \1$", STUB, re.M)


@pytest.mark.parametrize(("package", "name"), LAZY, ids=lambda one: getattr(one, "__name__", one))
def test_every_public_name_loads(package, name):
    value = getattr(package, name)
    assert value.__name__ == name and value.__doc__ and name in dir(package)


@pytest.mark.parametrize("name", ROOMS)
def test_every_room_loads(name):
    assert getattr(diffusion_lab, name) is importlib.import_module(f"diffusion_lab.{name}")
    assert name in dir(diffusion_lab) and name not in diffusion_lab.__all__


def test_a_name_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(AttributeError, match="has no attribute 'moons'; it has heaps, icons, photos, points, scenes"):
        worlds.moons  # noqa: B018

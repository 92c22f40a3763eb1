"""Every public name of the package leads to what it says."""

import importlib

import pytest

import diffusion_lab


@pytest.mark.parametrize("name", diffusion_lab.__all__)
def test_every_public_name_loads(name):
    value = getattr(diffusion_lab, name)
    assert value.__name__ == name and value.__doc__


@pytest.mark.parametrize("name", diffusion_lab._MODULES)
def test_every_room_loads(name):
    assert getattr(diffusion_lab, name) is importlib.import_module(f"diffusion_lab.{name}")

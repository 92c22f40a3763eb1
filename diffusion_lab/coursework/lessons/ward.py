"""The ward of lesson 05: four copies of one trained U-Net, each with one part out of order.

Every one of them runs and answers with a picture of the right shape. They are meant to be met as pictures; whoever
reads this file reads the answers.
"""

from copy import deepcopy

import torch

from ...anatomy import without_norms
from ...networks import ResidualBlock, UNet
from ...toy import Toy
from . import illness

PATIENTS = {1: "no skips", 2: "nothing added", 3: "no time", 4: "no normalisation"}  # at no place as it is listed

ILLNESSES = {
    "no time": "the network is told t = 500, whatever the time is",
    "no normalisation": "the maps are passed on as they are, never brought to one mean and spread",
    "no skips": "the skip connections hand over nothing",
    "nothing added": "the blocks give back their two convolutions alone: what came in is not added",
}


def patient(number: int, toy: Toy) -> Toy:
    """The toy with the sabotage of that number, in a copy of its network. Raises LabError for other numbers."""
    sabotage, network = SABOTAGE[illness(PATIENTS, number)], deepcopy(toy.network)
    sabotage(network)
    return Toy(toy.config, network)


def _no_time(network: UNet) -> None:
    told = network.context.forward
    network.context.forward = lambda t, condition: told(torch.full_like(t, 500), condition)


def _no_skips(network: UNet) -> None:
    network.skips = [False] * len(network.skips)


def _nothing_added(network: UNet) -> None:
    def alone(block):
        added = block.forward
        return lambda x, context: added(x, context) - block.bypass(x)

    for block in _blocks(network):
        block.forward = alone(block)


def _blocks(network: UNet) -> list[ResidualBlock]:
    return [module for module in network.modules() if isinstance(module, ResidualBlock)]


SABOTAGE = {"no time": _no_time, "no normalisation": without_norms, "no skips": _no_skips,
            "nothing added": _nothing_added}

"""Training: one loop for every network of the laboratory, which can be watched, stopped and gone on with."""

from . import together
from .checkpoint import Checkpoint, stopped_kindly
from .clock import Within, as_plan
from .loop import Progress, horizon, looks, train
from .optimisers import Muon, Optimisers, adamw, adamw_by_row, muon_and_adamw, warm_up_and_down
from .watching import watched

__all__ = ["Checkpoint", "Muon", "Optimisers", "Progress", "Within", "adamw", "adamw_by_row", "as_plan", "horizon",
           "looks", "muon_and_adamw", "stopped_kindly", "together", "train", "warm_up_and_down", "watched"]  # fmt: skip

"""The reverse process: one loop that yields, rules that step, and the names they go by.

In the variance preserving scaling Euler's method for the probability-flow ODE *is* DDIM, so there is no Euler here.
"""

from ..mixing import predicted_x0
from ..protocol import Predict, Rule
from .loop import denoise, heun
from .names import SAMPLERS, Sampler, as_sampler, sample
from .rules import ancestral, ddim_step, dpmpp_2m

__all__ = ["SAMPLERS", "Predict", "Rule", "Sampler", "ancestral", "as_sampler", "ddim_step", "denoise", "dpmpp_2m",
           "heun", "predicted_x0", "sample"]  # fmt: skip

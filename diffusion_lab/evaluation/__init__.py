"""How pictures are judged: readers that say what is in them, one module a world, and distances of two sets.

A reader is a small network that saw real pictures of its world and never a prompt; what it reads in drawn ones is
counted against what was asked for. The names here are the scenes world's readers and the distances; the icons' reader
is in `evaluation.icons`.
"""

from .distances import frechet_distance, nearest, psnr, sliced_wasserstein, to_pixels
from .scenes import WORDS, Reader, SecondReader, fidelity, load_reader, look, targets

__all__ = ["WORDS", "Reader", "SecondReader", "fidelity", "frechet_distance", "load_reader", "look", "nearest", "psnr",
           "sliced_wasserstein", "targets", "to_pixels"]  # fmt: skip

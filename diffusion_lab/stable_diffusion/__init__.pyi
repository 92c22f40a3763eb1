"""What the package offers by name; lazy.py reads this list."""

from .model import StableDiffusion as StableDiffusion
from .recorder import record as record
from .recording import save_recording as save_recording

"""What lesson 00 keeps back until it is guessed."""

RIDDLE = "A photo of an astronaut riding a horse on mars."  # the prompt, out of sight of the cell that draws it

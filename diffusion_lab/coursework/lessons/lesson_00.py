"""A picture comes out of static. When do you know what it will be?"""

RIDDLE = "A photo of an astronaut riding a horse on mars."  # the prompt, out of sight of the cell that draws it

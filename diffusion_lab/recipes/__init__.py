"""How each shipped model was made, from nothing: `python -m diffusion_lab train NAME`."""

"""A lesson as slides: a file that needs no Jupyter, and a copy to present in JupyterLab."""

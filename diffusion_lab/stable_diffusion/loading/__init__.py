"""From a name or a folder to diffusers' pipeline on a device: found, fetched, looked over, read."""

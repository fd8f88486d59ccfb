"""Floor 1: what is in which vehicle, as the vehicle itself says."""

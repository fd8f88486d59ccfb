"""Floor 6: a seeded world of virtual vehicles, ECUs, networks and power cuts; the demo."""

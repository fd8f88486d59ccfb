"""Floor 4: everything outside the process, one module for each foreign thing.

Only the wiring modules (`cloud.main`, `vehicle.main`, `sim`) import from here. An adapter
translates foreign errors at its edge and holds no decision.
"""

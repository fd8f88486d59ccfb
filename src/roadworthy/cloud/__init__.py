"""Floor 5: the back end; turns requests and messages into core calls. `main` wires."""

"""Floor 5: the agent on a vehicle's telematics unit."""

"""Floor 1: UDS (ISO 14229-1) and DoIP (ISO 13400-2), client and ECU side, without I/O."""

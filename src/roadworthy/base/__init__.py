"""Floor 0: identifiers, the error tree, time and chance, canonical encoding."""

"""Roadworthy keeps every vehicle's software current and its parts healthy."""

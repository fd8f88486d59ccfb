"""A second decoder, written from docs/delta-format.md alone: clear, slow, and only for tests."""

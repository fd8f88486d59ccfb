"""A second decoder that follows docs/delta-format.md: clear, slow, and only for tests."""

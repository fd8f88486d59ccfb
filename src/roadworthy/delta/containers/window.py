"""The window of a deflate stream: the content before a place that what follows may repeat."""

__all__ = ["WINDOW_BYTES", "slide"]

WINDOW_BYTES = 1 << 15


def slide(window: bytes, content: bytes) -> bytes:
    """Return the window after `content`, which came after `window`."""
    return (window + content[-WINDOW_BYTES:])[-WINDOW_BYTES:]

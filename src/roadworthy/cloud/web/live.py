"""The messages of a page's event stream (text/event-stream), one `LiveStream` per connection.

A stream sends two kinds of message. An unnamed one carries the parts of the page that changed
since the last one, wrapped for htmx. A `tick` carries the latest counts as JSON for the chart;
it also makes the vehicle table fetch itself again with the filter and page the reader has
chosen. A `tick` at least every five seconds tells the page that the stream is alive.
"""

import msgspec

from roadworthy.cloud.web import views
from roadworthy.cloud.web.render import Renderer, partials

__all__ = ["LiveStream", "event_message", "tick"]


def event_message(data: str, *, event: str = "", number: int | None = None) -> bytes:
    """Return one message of an event stream.

    Args:
        data: the content; line ends become several data lines, as the format wants.
        event: its name; unnamed messages are swapped into the page by htmx.
        number: its id, sent back as Last-Event-ID when the browser connects again.
    """
    lines = [f"event: {event}"] if event else []
    if number is not None:
        lines.append(f"id: {number}")
    lines += [f"data: {line}" for line in data.splitlines() or [""]]
    return ("\n".join(lines) + "\n\n").encode()


def tick(view: views.View) -> str:
    """Return the counts for the chart and the spoken summary as JSON."""
    counts: dict[str, object] = {}
    if isinstance(view, views.CampaignView):
        last = view.burn[-1] if view.burn else None
        counts = {
            "at_s": round(last.at_s, 1) if last else None,
            "confirmed": view.confirmed,
            "failed": view.failed + view.silent,
            "in_progress": view.in_progress,
            "total": view.total,
            "state": view.state,
        }
    return msgspec.json.encode(counts).decode()


class LiveStream:
    """What one reader's page shows already, so that only what changed is sent."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._shown: dict[str, str] = {}
        self._number = 0

    def update(self, view: views.View, frame: views.Frame) -> bytes:
        """Return the messages that bring the reader's page to `view`: changed parts, a tick."""
        parts = self._renderer.live_parts(view, frame)
        changed = {part: html for part, html in parts.items() if self._shown.get(part) != html}
        self._shown = parts
        self._number += 1
        message = event_message(tick(view), event="tick", number=self._number)
        return (event_message(partials(changed)) if changed else b"") + message

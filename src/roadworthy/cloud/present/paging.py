"""Page numbers for people (the API has cursors)."""

from roadworthy.cloud.web.views import Paging

__all__ = ["paging"]


def paging(total: int, page: int, rows: int) -> Paging:
    """Return the page to show: the asked one, or the nearest that exists."""
    page_count = max(1, -(-total // rows))
    return Paging(page=min(max(1, page), page_count), page_count=page_count, total=total)

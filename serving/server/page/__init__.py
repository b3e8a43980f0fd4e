"""The page at `/`: a form for one row, its prediction, and what is served; needs no network."""

from __future__ import annotations

from serving.server.page.views import routes

__all__ = ["routes"]

"""Where a server and its models are, if nobody says otherwise."""

from __future__ import annotations

SERVER = "http://127.0.0.1:8501"
SERVING = "output/serving"
# The variable of the environment that holds the bearer token.
TOKEN = "WAYBILL_SERVING_TOKEN"

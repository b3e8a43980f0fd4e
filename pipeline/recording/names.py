"""The names under which a run is recorded in ML Metadata; all values are text unless said.

On the context of a run (`pipeline_run`) at its start, and its outcome at its end:
"""

from __future__ import annotations

# The configuration as JSON, without secrets, and the SHA-256 of that JSON.
CONFIG, CONFIG_HASH = "waybill_config", "waybill_config_hash"
# The commit of the user's working directory, with `-dirty` where files differ from it.
GIT = "waybill_git"
# The address of its repository `origin`, without user and password.
GIT_URL = "waybill_git_url"
# JSON: the name of each installed package to its version.
LIBRARIES = "waybill_libraries"
PYTHON, HOST, COMMAND, VERSION = (
    "waybill_python",
    "waybill_host",
    "waybill_command",
    "waybill_version",
)
# An int.
SEED = "waybill_seed"
# The root of the run, and what ran it: `run_local` or `run_node`.
ROOT, RUNNER = "waybill_root", "waybill_runner"
# JSON: `exit_code` (null for a killed run), `kind`, `reason`, `version` (the pushed one, or null).
OUTCOME = "waybill_outcome"

# On an execution that did its work, floats and an int; see `usage.Usage` for what they mean.
WALL_S, CPU_S, PEAK_BYTES = "waybill_wall_s", "waybill_cpu_s", "waybill_peak_bytes"
# One line; only where it did not succeed.
ERROR = "waybill_error"
# The path of the file with what the libraries said.
LOG = "waybill_log"

# On an artifact: two ints, and `serving.contents.digest_of` its files.
FILES, BYTES, SHA256 = "waybill_files", "waybill_bytes", "waybill_sha256"

# On an Examples artifact, both JSON: the raw files (`path`, `bytes`, `sha256`, `rows`), and split
# name to rows. Written by `components.ingestion.raw_files`.
INPUT, ROWS = "waybill_input", "waybill_rows"

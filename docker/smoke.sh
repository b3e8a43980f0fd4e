#!/usr/bin/env bash
# Asks a server a real row over REST and gRPC, by version and by label, and compares the answers.
#
#   docker/smoke.sh SERVING [MODEL]          starts docker/compose.yaml on the serving folder, asks
#                                            it, and stops it
#   docker/smoke.sh SERVING [MODEL] URL...   asks servers that run already:
#                                            http://HOST:PORT for REST, grpc://HOST:PORT for gRPC
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(dirname "$here")
python=${PYTHON:-$project/.venv/bin/python}

if [[ $# -lt 1 || ! -d $1 ]]; then
  sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
serving=$(cd "$1" && pwd)
shift
flags=(--serving "$serving")
if [[ $# -gt 0 && $1 != *://* ]]; then
  flags+=(--model "$1")
  shift
fi
if [[ ! -f $serving/models.config ]]; then
  echo "error: $serving has no models.config. Push a model first: python -m pipeline.run_local" >&2
  exit 2
fi

servers=("$@")
if [[ ${#servers[@]} -eq 0 ]]; then
  command -v docker >/dev/null || { echo "error: docker is not on the PATH" >&2; exit 2; }
  export WAYBILL_SERVING=$serving
  compose=(docker compose --file "$here/compose.yaml")
  trap '"${compose[@]}" down --timeout 10' EXIT
  "${compose[@]}" up --detach --wait --wait-timeout 120
  servers=(
    "http://127.0.0.1:${WAYBILL_REST_PORT:-8501}"
    "grpc://127.0.0.1:${WAYBILL_GRPC_PORT:-8500}"
  )
fi

for server in "${servers[@]}"; do
  flags+=(--server "$server")
  if [[ $server == http* ]]; then
    curl --fail --silent --show-error --max-time 10 "$server/monitoring/prometheus/metrics" \
      | grep --quiet '^# TYPE' || { echo "error: $server tells no metrics" >&2; exit 6; }
  fi
done
cd "$project"
"$python" -m serving.client check "${flags[@]}"

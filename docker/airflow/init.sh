#!/bin/sh
# Runs once before Airflow's services start: tables, the account, and where each pipeline's files are.
set -eu

# Airflow opens the file for writing, which it cannot do with a secret.
install -m 600 /run/secrets/users.json "$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
airflow db migrate
python -m pipeline.init_store --metadata "$WAYBILL_METADATA"

# What `python -m pipeline.compile --target airflow` wrote says which Variable its DAG reads.
python - > /tmp/variables.json <<'END'
import json
import os
import pathlib

found = {}
for path in pathlib.Path("/opt/dags").glob("*/airflow.json"):
    about = json.loads(path.read_bytes())
    here = {"root": os.environ["WAYBILL_ROOT"], "metadata": os.environ["WAYBILL_METADATA"]}
    if os.environ.get("WAYBILL_DATA"):
        here["data"] = os.environ["WAYBILL_DATA"]
    read = {name: value for name, value in here.items() if name in about["parameters"]}
    found[about["variable"]] = {"python": "/opt/waybill/bin/python", **read}
print(json.dumps(found))
END
airflow variables import --action-on-existing-key skip /tmp/variables.json

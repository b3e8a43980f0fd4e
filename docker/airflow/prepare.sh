#!/bin/sh
# Makes what compose.yaml mounts, where it is missing: the folders, and the secrets with random
# values. What is there stays as it is.
set -eu
umask 077

: "${WAYBILL_ROOT:?set it to the absolute path of the folder that runs write}"
: "${WAYBILL_DAGS:?set it to the absolute path of the folder of compiled pipelines}"
: "${WAYBILL_SECRETS:?set it to the absolute path of a folder for the secrets}"
: "${WAYBILL_UID:?set it to the number of the user that is to own them: id -u}"

if [ "$WAYBILL_UID" = 0 ]; then
    echo "WAYBILL_UID=0: PostgreSQL does not run as root. Name another user." >&2
    exit 2
fi

# A shell that runs as root gives everything away.
own() {
    if [ "$(id -u)" = 0 ]; then chown "$WAYBILL_UID" "$@"; fi
}

for folder in "$WAYBILL_ROOT" "$WAYBILL_ROOT/serving" "$WAYBILL_DAGS" "$WAYBILL_SECRETS"; do
    if [ ! -d "$folder" ]; then
        mkdir -p "$folder"
        own "$folder"
    fi
done

# TensorFlow Serving starts with no model; a push names one.
models="$WAYBILL_ROOT/serving/models.config"
if [ ! -e "$models" ]; then
    echo 'model_config_list {}' > "$models"
    own "$models"
fi

secret() { # NAME COMMAND...
    file="$WAYBILL_SECRETS/$1"
    shift
    if [ ! -e "$file" ]; then
        # Without the end of the line, which would be taken for a part of it.
        printf %s "$("$@")" > "$file"
        own "$file"
    fi
}
# 32 bytes in the alphabet of URLs.
fernet() { openssl rand -base64 32 | tr '+/' '-_'; }
users() { printf '{"admin": "%s"}\n' "$(openssl rand -hex 12)"; }

secret postgres_password openssl rand -hex 24
secret airflow_password openssl rand -hex 24
secret metadata_password openssl rand -hex 24
secret api_key openssl rand -hex 48
secret jwt_key openssl rand -hex 48
secret fernet_key fernet
secret users.json users
echo "Airflow's password of admin is in $WAYBILL_SECRETS/users.json"

#!/bin/sh
# Before the image's own entry point: no database starts with a password that is missing, short or an example, also not
# the superuser's, which no process of the gateway knows.
set -eu
for name in POSTGRES_PASSWORD MALIPO_OWNER_PASSWORD MALIPO_APP_PASSWORD; do
    eval "value=\${$name:-}"
    case "$value" in
    *change-me* | *changeme* | *your-*) value= ;;
    esac
    if [ "${#value}" -lt 16 ]; then
        echo "$name is an example or too short: put at least 16 random characters there." >&2
        exit 1
    fi
done
if [ "$POSTGRES_PASSWORD" = "$MALIPO_OWNER_PASSWORD" ] || [ "$POSTGRES_PASSWORD" = "$MALIPO_APP_PASSWORD" ]; then
    echo "POSTGRES_PASSWORD is also the password of another role: each role needs one of its own." >&2
    exit 1
fi
exec docker-entrypoint.sh "$@"

#!/bin/sh
# Whether this container's process answers: `healthcheck.sh web` asks /healthz, `healthcheck.sh worker` pings the worker over the broker.
set -eu
cd "$(dirname "$0")/.."
if [ -x .venv/bin/python ]; then
    PATH="$PWD/.venv/bin:$PATH"
fi

case ${1:-} in
web)
    exec python docker/ask_health.py
    ;;
worker)
    exec python -m celery --app annotator.config.celery inspect ping --timeout 10 --destination "celery@$(hostname)"
    ;;
*)
    echo "healthcheck.sh takes web or worker, not '${1:-}'." >&2
    exit 64
    ;;
esac

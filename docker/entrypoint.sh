#!/bin/sh
# What a container, or a plain machine, runs:
#   entrypoint.sh web           the site, on $SD_BIND (127.0.0.1:8000)
#   entrypoint.sh worker        a worker for the queues $SD_QUEUES (default,tag,train), $SD_WORKER_THREADS jobs at a time (4)
#   entrypoint.sh migrate       bring the database up to date
#   entrypoint.sh manage …      any other command of manage.py, for instance createsuperuser
# Every branch ends in exec, so that the process gets the container's signals and stops in order.
set -eu
cd "$(dirname "$0")/.."
if [ -x .venv/bin/python ]; then
    PATH="$PWD/.venv/bin:$PATH"
fi

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
web)
    exec python -m gunicorn annotator.config.wsgi:application --bind "${SD_BIND:-127.0.0.1:8000}" \
        --worker-class gthread --workers "${SD_WEB_WORKERS:-2}" --threads "${SD_WEB_THREADS:-4}" --timeout 60 --graceful-timeout 20 \
        --no-control-socket "$@"
    ;;
worker)
    exec python -m celery --app annotator.config.celery worker --pool threads --concurrency "${SD_WORKER_THREADS:-4}" \
        --queues "${SD_QUEUES:-default,tag,train}" --without-gossip --without-mingle --loglevel INFO "$@"
    ;;
migrate)
    exec python manage.py migrate --noinput "$@"
    ;;
manage)
    exec python manage.py "$@"
    ;;
*)
    echo "entrypoint.sh takes web, worker, migrate or manage, not '$command'." >&2
    exit 64
    ;;
esac

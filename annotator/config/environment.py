"""The settings that a deployment may change, read from the environment, with their defaults.

Nothing else reads the environment.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tempfile
from pathlib import Path

import environ

ROOT = Path(__file__).resolve().parent.parent.parent

_env = environ.Env()
if (ROOT / ".env").is_file():
    _env.read_env(ROOT / ".env")

#: The folder of everything that a default installation writes: database, snapshots, models,
#: uploads, secret key. If the site creates it, no other user of the machine can enter it.
VAR = Path(_env.str("SD_VAR", default=str(ROOT / "var"))).resolve()
DEBUG = _env.bool("SD_DEBUG", default=False)
ALLOWED_HOSTS = _env.list("SD_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = _env.list("SD_CSRF_TRUSTED_ORIGINS", default=[])
#: Whether the site uses https; this turns on secure cookies, HSTS and redirects.
HTTPS = _env.bool("SD_HTTPS", default=False)
REDIS_URL = _env.str("REDIS_URL", default="")
#: The socket of the embedded broker, used if REDIS_URL is not set. Sockets allow 107 bytes, so a
#: longer path is replaced by one in the folder for temporary files.
BROKER_SOCKET = VAR / "broker" / "valkey.sock"
if len(os.fsencode(BROKER_SOCKET)) > 100:
    _digest = hashlib.sha256(os.fsencode(BROKER_SOCKET)).hexdigest()[:16]
    BROKER_SOCKET = (
        Path(tempfile.gettempdir()) / f"sd-curator-{os.getuid()}-{_digest}" / "valkey.sock"
    )
LOG_LEVEL = _env.str("SD_LOG_LEVEL", default="INFO")
LOG_JSON = _env.bool("SD_LOG_JSON", default=False)
#: Seconds without a heartbeat until the worker of a running job counts as dead, and seconds between
#: two heartbeats.
JOB_HEARTBEAT_TIMEOUT = _env.int("SD_JOB_HEARTBEAT_TIMEOUT", default=60)
JOB_HEARTBEAT_SECONDS = _env.float("SD_JOB_HEARTBEAT_SECONDS", default=5.0)
#: Seconds between the searches of each worker for jobs that a worker or the broker lost.
JOB_SWEEP_SECONDS = _env.float("SD_JOB_SWEEP_SECONDS", default=5.0)
MAX_UPLOAD_BYTES = _env.int("SD_MAX_UPLOAD_BYTES", default=512 * 1024 * 1024)
#: The default model: a name or a folder; see ner_engine.registry.catalogue.
DEFAULT_MODEL = _env.str("SD_DEFAULT_MODEL", default="bundled")
#: The default models of the other pipeline stages. An empty value turns a stage off; panels are
#: then divided by their panel letters.
DEFAULT_PANELS_MODEL = _env.str("SD_DEFAULT_PANELS_MODEL", default="")
DEFAULT_GENEPROD_ROLES_MODEL = _env.str(
    "SD_DEFAULT_GENEPROD_ROLES_MODEL", default="bundled-geneprod-roles"
)
DEFAULT_SMALL_MOL_ROLES_MODEL = _env.str(
    "SD_DEFAULT_SMALL_MOL_ROLES_MODEL", default="bundled-smallmol-roles"
)
#: The tokenizer of the tokenised sd-nlp export: a folder, or a name in the local Hugging Face
#: cache.
EXPORT_TOKENIZER = _env.str("SD_TOKENIZER", default="roberta-base")
#: The hub to which models are uploaded, and the token for it, without which nothing is uploaded.
#: The token is stored nowhere else.
HUB_ENDPOINT = _env.str("SD_HUB_ENDPOINT", default="https://huggingface.co").rstrip("/")
HUB_TOKEN = _env.str("SD_HUB_TOKEN", default="")
OIDC = _env.json("SD_OIDC", default={})
DATABASE_OPTIONS_SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; PRAGMA"
        " temp_store=MEMORY;"
    ),
}


_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")


def image_hosts() -> list[str]:
    """Return ``SD_IMAGE_HOSTS``: the hosts whose figures browsers may show by https.

    Each is checked, because it becomes part of the Content-Security-Policy.
    """
    hosts = []
    for entry in _env.list("SD_IMAGE_HOSTS", default=[]):
        host = entry.strip().lower()
        if not host:
            continue
        if not _HOST.fullmatch(host):
            raise environ.ImproperlyConfigured(
                f'SD_IMAGE_HOSTS contains "{host}", which is not a host name. Write names such as'
                " iiif.example.org, separated by commas."
            )
        hosts.append(host)
    return hosts


def broker_url() -> str:
    """Return the address of Celery's broker: ``REDIS_URL``, or the socket of embedded Valkey."""
    return REDIS_URL or f"redis+socket://{BROKER_SOCKET}"


def database() -> dict[str, object]:
    """Return Django's DATABASES["default"]: ``DATABASE_URL``, or SQLite under ``VAR``."""
    url = _env.str("DATABASE_URL", default="")
    if not url:
        VAR.mkdir(mode=0o700, parents=True, exist_ok=True)
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": VAR / "sd-curator.sqlite3",
            "OPTIONS": dict(DATABASE_OPTIONS_SQLITE),
        }
    config: dict[str, object] = _env.db_url_config(url)
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = dict(DATABASE_OPTIONS_SQLITE)
    else:
        config["CONN_HEALTH_CHECKS"] = True
        config["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 8}} | dict(
            config.get("OPTIONS") or {}
        )  # type: ignore[call-overload]
    return config


def secret_key() -> str:
    """Return ``SD_SECRET_KEY``, or a key that is generated once and stored under ``VAR``."""
    key: str = _env.str("SD_SECRET_KEY", default="")
    if key:
        return key
    path = VAR / "secret-key"
    VAR.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="ascii") as file:
            path.chmod(0o600)
            file.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii").strip()

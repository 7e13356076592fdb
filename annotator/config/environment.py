"""The one reader of the environment: every setting that a deployment may change is named here,
typed, with its default."""

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

#: Everything that the site writes on a default installation: database, snapshots, models, uploads,
#: the first secret key. Where the site makes the folder, no other user of the machine may enter it.
VAR = Path(_env.str("SD_VAR", default=str(ROOT / "var"))).resolve()
DEBUG = _env.bool("SD_DEBUG", default=False)
ALLOWED_HOSTS = _env.list("SD_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = _env.list("SD_CSRF_TRUSTED_ORIGINS", default=[])
#: Whether the site is reached by https: secure cookies, HSTS and redirects follow from it.
HTTPS = _env.bool("SD_HTTPS", default=False)
REDIS_URL = _env.str("REDIS_URL", default="")
#: Where the embedded broker listens when REDIS_URL is not set. A path over a socket's limit of 107
#: bytes moves to the folder for temporary files.
BROKER_SOCKET = VAR / "broker" / "valkey.sock"
if len(os.fsencode(BROKER_SOCKET)) > 100:
    _digest = hashlib.sha256(os.fsencode(BROKER_SOCKET)).hexdigest()[:16]
    BROKER_SOCKET = (
        Path(tempfile.gettempdir()) / f"sd-curator-{os.getuid()}-{_digest}" / "valkey.sock"
    )
LOG_LEVEL = _env.str("SD_LOG_LEVEL", default="INFO")
LOG_JSON = _env.bool("SD_LOG_JSON", default=False)
#: Seconds without a heartbeat after which a running job's worker counts as dead, and seconds
#: between two heartbeats.
JOB_HEARTBEAT_TIMEOUT = _env.int("SD_JOB_HEARTBEAT_TIMEOUT", default=60)
JOB_HEARTBEAT_SECONDS = _env.float("SD_JOB_HEARTBEAT_SECONDS", default=5.0)
#: Seconds between two looks of each worker for jobs that dead workers left or the broker lost.
JOB_SWEEP_SECONDS = _env.float("SD_JOB_SWEEP_SECONDS", default=5.0)
MAX_UPLOAD_BYTES = _env.int("SD_MAX_UPLOAD_BYTES", default=512 * 1024 * 1024)
#: Where the bundled or another default model lies; see ner_engine.registry.catalogue.
DEFAULT_MODEL = _env.str("SD_DEFAULT_MODEL", default="bundled")
#: The default models of the other steps; empty leaves a step out, and panels to their printed
#: letters.
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
#: The hub that models are given to, and a token that may write there; without one nothing can be.
#: It is kept nowhere else.
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


def image_hosts() -> list[str]:
    """``SD_IMAGE_HOSTS``: hosts from whose https addresses browsers may show figures. They go into
    the security policy, so each is checked."""
    hosts = [
        host.strip().lower() for host in _env.list("SD_IMAGE_HOSTS", default=[]) if host.strip()
    ]
    for host in hosts:
        if not re.fullmatch(
            r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", host
        ):
            raise environ.ImproperlyConfigured(
                f'SD_IMAGE_HOSTS names "{host}", which is no host. Write names as iiif.example.org,'
                " with commas."
            )
    return hosts


def broker_url() -> str:
    """Celery's broker: ``REDIS_URL`` where it is set, else the embedded Valkey's socket."""
    return REDIS_URL or f"redis+socket://{BROKER_SOCKET}"


def database() -> dict[str, object]:
    """Django's DATABASES["default"]: ``DATABASE_URL`` where it is set, else SQLite under
    ``VAR``."""
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
    """``SD_SECRET_KEY`` where it is set, else a key made once and kept under ``VAR``: there is no
    default secret."""
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

"""Django settings. Values that a deployment may change come from ``environment``."""

from __future__ import annotations

from annotator.config import environment as env
from annotator.config.admin_site import unfold_settings
from annotator.config.logging import logging_config

BASE_DIR = env.ROOT
VAR_DIR = env.VAR
DEBUG = env.DEBUG
SECRET_KEY = env.secret_key()
ALLOWED_HOSTS = env.ALLOWED_HOSTS
CSRF_TRUSTED_ORIGINS = env.CSRF_TRUSTED_ORIGINS
ROOT_URLCONF = "annotator.config.urls"
WSGI_APPLICATION = "annotator.config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "django_filters",
    "django_htmx",
    "django_prometheus",
    "django_structlog",
    "rest_framework",
    "drf_spectacular",
    "annotator.config",
    "annotator.common",
    "annotator.accounts",
    "annotator.jobs",
    "annotator.lookup",
    "annotator.corpus",
    "annotator.review",
    "annotator.datasets",
    "annotator.learning",
    "annotator.dashboard",
    "annotator.api",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "annotator.common.csp.AdminCspMiddleware",
    "annotator.common.uploads.UploadLimitMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.database()}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Sign-in
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = "account_login"
ACCOUNT_ADAPTER = "annotator.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_FORMS = {"login": "annotator.accounts.forms.SignInForm"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [env.OIDC]}} if env.OIDC else {}
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

# Language and time
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

# Files
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
# The guides, which the site shows under /help/.
GUIDES_DIR = BASE_DIR / "docs" / "guide"
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": VAR_DIR / "media"},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
#: Uploads, snapshots, models, training runs and dictionaries, each in a folder of its own.
UPLOADS_DIR = VAR_DIR / "uploads"
SNAPSHOTS_DIR = VAR_DIR / "snapshots"
MODELS_DIR = VAR_DIR / "models"
RUNS_DIR = VAR_DIR / "runs"
DICTIONARIES_DIR = VAR_DIR / "dictionaries"
MAX_UPLOAD_BYTES = env.MAX_UPLOAD_BYTES
IMAGE_HOSTS = env.image_hosts()
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# Security
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = env.HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if env.HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.HTTPS else None
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", *(f"https://{host}" for host in IMAGE_HOSTS)],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
    # annotator.common.csp allows the admin's pages more, because Unfold uses Alpine.
}

# Background jobs
REDIS_URL = env.REDIS_URL
JOB_HEARTBEAT_TIMEOUT = env.JOB_HEARTBEAT_TIMEOUT
JOB_HEARTBEAT_SECONDS = env.JOB_HEARTBEAT_SECONDS
JOB_SWEEP_SECONDS = env.JOB_SWEEP_SECONDS
CELERY_BROKER_URL = env.broker_url()
BROKER_SOCKET = env.BROKER_SOCKET
# A message leaves the queue when its task begins (early acknowledgement), and a task begins only
# when a thread is free. So a job behind a long one stays in the queue, where another worker can
# take it. The pool uses threads, because CUDA does not survive a fork.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TIMEZONE = "UTC"
DEFAULT_MODEL = env.DEFAULT_MODEL
DEFAULT_PANELS_MODEL = env.DEFAULT_PANELS_MODEL
DEFAULT_GENEPROD_ROLES_MODEL = env.DEFAULT_GENEPROD_ROLES_MODEL
DEFAULT_SMALL_MOL_ROLES_MODEL = env.DEFAULT_SMALL_MOL_ROLES_MODEL
EXPORT_TOKENIZER = env.EXPORT_TOKENIZER
HUB_ENDPOINT = env.HUB_ENDPOINT
HUB_TOKEN = env.HUB_TOKEN

# API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "rest_framework.parsers.JSONParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.CursorPagination",
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "sd-curator",
    "DESCRIPTION": (
        "Projects, legends, jobs, exports and models, through the same services as the site."
        " Offsets are Unicode code points, half open."
    ),
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "DocumentState": "annotator.corpus.models.DocumentState",
        "JobState": "annotator.jobs.models.JobState",
        "SnapshotState": "annotator.datasets.models.SnapshotState",
        "RunState": "annotator.learning.models.RunState",
        "ModelTask": "annotator.learning.models.ModelTask",
        "OperationKind": "annotator.review.models.OperationKind",
        "PromotionKind": "annotator.learning.models.PromotionKind",
        "ProposalKind": "annotator.review.memory.rule.ProposalKind",
    },
}

LOGGING = logging_config(env.LOG_LEVEL, as_json=env.LOG_JSON)
UNFOLD = unfold_settings()

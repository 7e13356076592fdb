"""The Dockerfile and compose.yml name only things that exist, and hold no secret. No container
engine is needed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from annotator.jobs.models import Queue

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = re.sub(
    r"^#.*\n", "", (ROOT / "docker/Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE
)
ENTRYPOINT = (ROOT / "docker/entrypoint.sh").read_text(encoding="utf-8")
#: ${NAME}, ${NAME:-default} or ${NAME:?sentence}; a doubled dollar is the container's own business.
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(
        (ROOT / "docker/compose.yml").read_text(encoding="utf-8")
    )
    return loaded


def own_services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in compose["services"].items() if "build" in service}


def stages() -> dict[str, str]:
    """Each stage's name with the name or image that it begins from."""
    return {
        name: parent
        for parent, name in re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    }


def stage_text(name: str) -> str:
    return DOCKERFILE.split(f" AS {name}\n", 1)[1].split("\nFROM ", 1)[0]


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [hadolint, ROOT / "docker/Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout + done.stderr == ""


def test_the_images_run_without_root_and_have_health_checks() -> None:
    for image in ("web", "worker-cpu", "worker-gpu"):
        assert image in stages()
        assert "USER 10001" in stage_text(image)
        assert "HEALTHCHECK" in stage_text(image)


def test_copied_files_of_the_dockerfile_are_in_the_build_context() -> None:
    sources = [
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for word in line.split()[:-1]
    ]
    assert sources
    context = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source == "." or Path(source).parts[0] in context, source
    for path in context:
        assert (ROOT / path).exists(), path
    assert {"annotator", "ner_engine", "templates", "static", "manage.py"} <= context


def test_torch_is_installed_before_its_users_and_not_for_web() -> None:
    for stage in ("cpu-packages", "gpu-packages"):
        text = stage_text(stage)
        assert text.index("torch.txt") < text.index("pip install -r /requirements/engine.txt")
    assert "torch" not in stage_text("site-packages")
    assert "--from=site-packages" in stage_text("web")
    site = (ROOT / "requirements/site.txt").read_text(encoding="utf-8")
    assert not re.search(r"^(torch|transformers|accelerate)\b", site, re.MULTILINE)


def test_every_service_builds_an_existing_stage(
    compose: dict[str, Any],
) -> None:
    known = set(re.findall(r"^(\w+)\)$", ENTRYPOINT, re.MULTILINE))
    assert {"web", "worker", "migrate", "manage"} <= known
    for name, service in own_services(compose).items():
        assert service["build"]["target"] in stages(), name
        assert (
            ROOT / "docker" / service["build"]["context"] / service["build"]["dockerfile"]
        ).is_file(), name
        assert service["command"][0] in known, name


def test_the_workers_listen_on_every_queue_and_on_no_other(compose: dict[str, Any]) -> None:
    queues = {
        name: set(service["environment"]["SD_QUEUES"].split(","))
        for name, service in own_services(compose).items()
        if name.startswith("worker")
    }
    without_profile = [name for name in queues if "profiles" not in compose["services"][name]]
    assert set().union(*(queues[name] for name in without_profile)) == set(Queue.values)
    assert queues["worker-gpu"] <= set(Queue.values)
    default = re.search(r"SD_QUEUES:-([a-z,]+)", ENTRYPOINT)
    assert default is not None
    assert set(default[1].split(",")) == set(Queue.values)


def test_no_password_has_a_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker/compose.yml").read_text(encoding="utf-8")
    secrets = [
        (name, mode)
        for name, mode, _ in VARIABLE.findall(text)
        if re.search("PASSWORD|SECRET|KEY", name)
    ]
    assert {name for name, _ in secrets} == {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "SD_SECRET_KEY"}
    assert all(mode == "?" for _, mode in secrets)
    lines = (ROOT / "docker/example.env").read_text(encoding="utf-8").splitlines()
    example = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert all(example[name] == "" for name, _ in secrets)


def test_every_variable_compose_sets_is_read_by_somebody(compose: dict[str, Any]) -> None:
    readers = "".join(
        (ROOT / path).read_text(encoding="utf-8")
        for path in (
            "annotator/config/environment.py",
            "docker/entrypoint.sh",
            "docker/ask_health.py",
        )
    )
    for service in own_services(compose).values():
        for name in service["environment"]:
            assert re.search(rf"\b{name}\b", readers), name


def test_every_variable_to_fill_in_stands_in_the_example(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker/compose.yml").read_text(encoding="utf-8")
    example = (ROOT / "docker/example.env").read_text(encoding="utf-8")
    for name, mode, _ in VARIABLE.findall(text):
        if mode == "?":
            assert f"{name}=" in example


def test_services_wait_for_stores_and_write_to_declared_volumes(
    compose: dict[str, Any],
) -> None:
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in compose["volumes"], name
        for other in service.get("depends_on", {}):
            assert other in compose["services"], name
    for store in ("postgres", "redis"):
        assert compose["services"][store]["healthcheck"]["test"]
        assert "ports" not in compose["services"][store]
    assert compose["services"]["migrate"]["depends_on"] == {
        "postgres": {"condition": "service_healthy"}
    }


def test_the_graphics_card_is_asked_for_only_by_its_own_profile(compose: dict[str, Any]) -> None:
    with_devices = [name for name, service in compose["services"].items() if "deploy" in service]
    assert with_devices == ["worker-gpu"]
    assert compose["services"]["worker-gpu"]["profiles"] == ["gpu"]
    assert compose["services"]["worker-gpu"]["environment"]["SD_WORKER_THREADS"] == "1"

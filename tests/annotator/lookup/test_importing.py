"""A file becomes the current dictionary, all of it or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.lookup.catalogue import Standing, find, find_exact, standings
from annotator.lookup.identifiers import Identifier
from annotator.lookup.importing import import_dictionary, remove_dictionary
from annotator.lookup.models import Dictionary

pytestmark = pytest.mark.django_db
HEAD = "id\tname\tsynonyms\ttaxon\tobsolete\n"
GENES = f"{HEAD}581\tBAX\tBCL2L4\t9606\t\n12028\tBax\t\t10090\t\n2\told one\t\t9606\tyes\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "genes.tsv"
    path.write_text(GENES, encoding="utf-8")
    return path


def run_import(path: Path, **facts: Any) -> Dictionary:
    facts = {"database": "ncbi-gene", "actor": SYSTEM, "source": path.name} | facts
    return import_dictionary(path=path, **facts)


def files(var: Path) -> list[str]:
    return sorted(path.name for path in (var / "dictionaries").iterdir())


def test_an_import_says_what_the_file_holds(file: Path) -> None:
    row = run_import(file, version="2026-11")
    assert (row.name, row.version, row.n_entries, row.n_names, row.n_obsolete) == (
        "NCBI gene",
        "2026-11",
        3,
        4,
        1,
    )


def test_entries_are_found_by_label_with_their_species(file: Path) -> None:
    run_import(file)
    (own, other) = find_exact("bax", label="GENEPROD", taxa={"10090"})
    assert own.identifier == Identifier("12028", "Bax", "10090", "NCBI gene", "Mus musculus")
    assert other.identifier.taxon == "9606"
    assert find("bax", label="CELL") == []


def test_a_new_version_replaces_the_one_before(file: Path, var: Path) -> None:
    before = run_import(file)
    file.write_text(f"{HEAD}581\tBAX new\t\t9606\t\n", encoding="utf-8")
    now = run_import(file)
    assert list(Dictionary.objects.current()) == [now]
    assert files(var) == [now.file]
    assert not before.path.exists()
    assert [each.identifier.name for each in find("bax", label="GENEPROD")] == ["BAX new"]


def test_a_failed_import_leaves_the_one_before(file: Path, var: Path) -> None:
    row = run_import(file)
    file.write_text(HEAD + "x\ty\t\t\t\n" * 50, encoding="utf-8")
    with pytest.raises(UserError, match="Nothing was imported"):
        run_import(file)
    assert list(Dictionary.objects.current()) == [row]
    assert files(var) == [row.file]


def test_dictionaries_of_other_names_stand_side_by_side(file: Path) -> None:
    run_import(file, name="one")
    run_import(file, name="two")
    assert Dictionary.objects.current().count() == 2


def test_a_few_bad_lines_are_reported_and_the_rest_imported(file: Path) -> None:
    file.write_text(f"{GENES}Il1b\tx\t\t\t\n", encoding="utf-8")
    row = run_import(file)
    assert row.n_entries == 3
    assert row.problems == ["Line 5: “Il1b” is not an id of NCBI gene, such as 596."]


def test_a_file_without_entries_is_refused(file: Path) -> None:
    file.write_text(HEAD, encoding="utf-8")
    with pytest.raises(UserError, match="no entry of NCBI gene"):
        run_import(file)


def test_an_unknown_database_is_refused(file: Path) -> None:
    with pytest.raises(UserError, match="“genes” is not a database"):
        run_import(file, database="genes")


def test_identifiers_are_known_obsolete_or_unknown(file: Path) -> None:
    run_import(file)
    wanted = {
        Identifier("581", "", "9606", "NCBI gene"): Standing.KNOWN,
        Identifier("2", "", "9606", "NCBI gene"): Standing.OBSOLETE,
        Identifier("7", "", "9606", "NCBI gene"): Standing.UNKNOWN,
        Identifier("7", "", "7227", "NCBI gene"): Standing.UNCHECKED,
        Identifier("GO:0005739", "", "", "Gene Ontology"): Standing.UNCHECKED,
    }
    assert standings(wanted) == wanted


def test_a_removed_dictionary_is_searched_no_longer(file: Path, var: Path) -> None:
    row = run_import(file)
    assert find("bax", label="GENEPROD")
    remove_dictionary(dictionary=row, actor=SYSTEM)
    assert find("bax", label="GENEPROD") == []
    assert files(var) == []


def test_only_those_with_the_right_import(file: Path, manager: User, admin: User) -> None:
    with pytest.raises(PermissionDenied):
        run_import(file, actor=manager)
    manager.user_permissions.add(Permission.objects.get(codename="import_dictionary"))
    assert run_import(file, actor=User.objects.get(pk=manager.pk)).imported_by == manager
    assert run_import(file, actor=admin).imported_by == admin


def test_the_command_imports_and_reports(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command(
        "import_dictionary", str(file), database="ncbi-gene", file_version="7", as_json=True
    )
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report["entries"], report["version"], report["problems"]) == (3, "7", [])


def test_an_upload_is_imported_by_a_job(
    file: Path, admin: User, client_of: Any, var: Path, django_capture_on_commit_callbacks: Any
) -> None:
    upload = SimpleUploadedFile("genes.tsv", file.read_bytes())
    fields = {"file": upload, "database": "ncbi-gene", "name": "", "version": "1"}
    answer = client_of(admin).post(reverse("admin:lookup_dictionary_add"), fields)
    job = Job.objects.get()
    assert answer["Location"] == reverse("jobs:job", args=[job.pk])
    run_job(job.pk)
    row = Dictionary.objects.get()
    assert (row.source, row.imported_by, row.n_entries) == ("genes.tsv", admin, 3)
    assert list((var / "uploads").iterdir()) == []


@pytest.mark.parametrize("may", [True, False])
def test_staff_import_with_the_right_alone(may: bool, stranger: User, client_of: Any) -> None:
    stranger.is_staff = True
    stranger.save()
    if may:
        stranger.user_permissions.add(Permission.objects.get(codename="import_dictionary"))
    answer = client_of(stranger).get(reverse("admin:lookup_dictionary_changelist"))
    assert answer.status_code == (200 if may else 403)


def test_deleting_in_the_admin_takes_it_out_of_use(file: Path, admin: User, client_of: Any) -> None:
    row = run_import(file)
    path = reverse("admin:lookup_dictionary_delete", args=[row.pk])
    client_of(admin).post(path, {"post": "yes"})
    row.refresh_from_db()
    assert row.replaced_at is not None

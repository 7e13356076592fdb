"""The addresses of the site, with who may open each: the tables of ``test_doors.py``."""

from __future__ import annotations

from dataclasses import dataclass, field

MEMBERS = ("viewer", "curator", "reviewer", "manager")
PEOPLE = ("anonymous", "stranger", *MEMBERS, "staff", "admin")
SIGN_IN = 302


@dataclass(frozen=True)
class Door:
    """An address in a project: the least role that may open it, and its answers to that role.

    ``get`` and ``post`` are the statuses of a GET and of an empty POST.
    """

    opens_for: str
    get: int
    post: int
    fields: dict[str, str] = field(default_factory=dict)
    asks_for_sign_in_after_method: bool = False
    posts_open_for: str = ""

    def expected(self, who: str, method: str) -> int:
        if who == "anonymous" and not (
            self.asks_for_sign_in_after_method and self.answer(method) == 405
        ):
            return SIGN_IN
        if self.answer(method) == 405:
            return 405
        if who in ("stranger", "staff"):
            return 404
        opens_for = (method == "post" and self.posts_open_for) or self.opens_for
        may = who == "admin" or MEMBERS.index(who) >= MEMBERS.index(opens_for)
        return self.answer(method) if may else 403

    def answer(self, method: str) -> int:
        return self.get if method == "get" else self.post


IN_A_PROJECT = {
    "corpus:project": Door("viewer", 200, 405),
    "corpus:documents": Door("viewer", 200, 405),
    "corpus:document": Door("viewer", 200, 405),
    "corpus:figure": Door("viewer", 200, 405),
    "corpus:figure_image": Door("viewer", 404, 405),
    "corpus:figure_upload": Door("reviewer", 405, 422),
    "corpus:figure_remove": Door("reviewer", 405, 422),
    "corpus:figure_boxes": Door("curator", 405, 422),
    "corpus:import_documents": Door("reviewer", 200, 422),
    "corpus:guideline": Door("viewer", 200, 405),
    "corpus:import_documents_report": Door("viewer", 200, 405),
    "corpus:new_defaults": Door("manager", 405, 302),
    "corpus:members": Door("manager", 200, 422),
    "corpus:members_remove": Door("manager", 405, 302),
    "review:queue": Door("viewer", 200, 405),
    "review:next": Door("curator", 302, 405),
    "review:practice": Door("curator", 200, 302),
    "review:practice_operations": Door("curator", 405, 400, asks_for_sign_in_after_method=True),
    "review:practice_state": Door("curator", 200, 405),
    "review:practice_result": Door("curator", 302, 405),
    "review:legend": Door("viewer", 200, 405),
    "review:settings": Door("manager", 200, 422),
    "review:memory": Door("manager", 200, 422),
    "review:uncertain": Door("viewer", 200, 405),
    "review:label_errors": Door("curator", 405, 302),
    "review:state": Door("viewer", 200, 405),
    "review:same": Door("curator", 422, 405),
    "review:comments": Door("viewer", 200, 422, posts_open_for="curator"),
    "review:project_identifiers": Door("viewer", 200, 405),
    "review:candidates": Door("viewer", 200, 405),
    "review:identifiers": Door("viewer", 200, 422, posts_open_for="curator"),
    "review:history": Door("viewer", 200, 405),
    "review:compare": Door("viewer", 200, 422, posts_open_for="curator"),
    "review:operations": Door("curator", 405, 422, asks_for_sign_in_after_method=True),
    "review:lease": Door("curator", 405, 200, {"take_over": "1"}),
    "datasets:export": Door("reviewer", 200, 422),
    "datasets:export_report": Door("viewer", 200, 405),
    "datasets:export_download": Door("reviewer", 404, 405),
    "datasets:document_rows": Door("viewer", 200, 405),
    "learning:pretag": Door("reviewer", 405, 302),
    "learning:models": Door("viewer", 200, 405),
    "learning:suggestions": Door("manager", 200, 302),
    "learning:suggestions_reset": Door("manager", 405, 302),
    "jobs:job": Door("viewer", 200, 405),
    "jobs:job_cancel": Door("manager", 405, 302),
}

#: Addresses outside projects: (GET, empty POST) for anonymous users, and for users who are signed
#: in.
OF_NO_PROJECT: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "dashboard:home": ((302, 302), (200, 405)),
    "dashboard:healthz": ((200, 405), (200, 405)),
    "accounts:preferences": ((302, 302), (405, 302)),
    "accounts:preferences_tour": ((302, 302), (405, 400)),
    "dashboard:guide_contents": ((302, 302), (200, 405)),
    "dashboard:guide": ((302, 302), (200, 405)),
    "keys": ((302, 302), (200, 302)),
    "known_models": ((302, 302), (200, 405)),
    "accounts:tokens": ((302, 302), (200, 422)),
    "accounts:tokens_revoke": ((302, 302), (405, 404)),
    "account_email": ((200, 405), (200, 405)),
    "account_reset_password": ((200, 405), (200, 405)),
    "account_login": ((200, 200), (302, 302)),
    "account_logout": ((302, 302), (200, 302)),
    "account_change_password": ((302, 302), (200, 200)),
}
#: Those who may create projects: staff, and users with the permission to add them.
MAKERS = ("manager", "staff", "admin")

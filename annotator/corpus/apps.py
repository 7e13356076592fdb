from django.apps import AppConfig


class CorpusConfig(AppConfig):
    name = "annotator.corpus"

    def ready(self) -> None:
        from annotator.corpus.access import (  # noqa: PLC0415
            may_touch_jobs_of,
            place_of_project,
        )
        from annotator.jobs.scopes import register_scope  # noqa: PLC0415

        register_scope("project", may_touch_jobs_of, place_of_project)

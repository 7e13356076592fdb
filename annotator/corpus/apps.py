from django.apps import AppConfig


class CorpusConfig(AppConfig):
    name = "annotator.corpus"

    def ready(self) -> None:
        from annotator.corpus.access import may_touch_jobs_of, place_of_project  # noqa: PLC0415
        from annotator.jobs.scopes import register_scope  # noqa: PLC0415

        register_scope("project", may_touch_jobs_of, place_of_project)

from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "annotator.review"

    def ready(self) -> None:
        # Models can be imported only now.
        from annotator.corpus.holding import register_leases  # noqa: PLC0415
        from annotator.review.editing.leases import LEASES  # noqa: PLC0415

        register_leases(LEASES)

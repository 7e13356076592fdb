"""Admin pages of the datasets."""

from annotator.datasets.admin import snapshot

__all__ = ["snapshot"]

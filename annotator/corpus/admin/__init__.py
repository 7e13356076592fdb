"""The admin of projects, their label sets and their legends."""

from annotator.corpus.admin.document import DocumentAdmin
from annotator.corpus.admin.label_set import LabelSetAdmin
from annotator.corpus.admin.project import ProjectAdmin

__all__ = ["DocumentAdmin", "LabelSetAdmin", "ProjectAdmin"]

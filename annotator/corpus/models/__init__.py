"""Projects, their documents, and the layers of spans on them.

Layers and spans live below ``review`` because import, pre-tagging, review and export all read or
write them. Operations and leases live in ``review``. See docs/decisions/0002.
"""

from annotator.corpus.decisions import DecisionKind, ReviewMode, Rule, Verdict
from annotator.corpus.models.documents import (
    DOCUMENT_STATES,
    Document,
    DocumentQuerySet,
    DocumentState,
    Segment,
    SegmentQuerySet,
    draw_lot,
)
from annotator.corpus.models.figures import FigureImage
from annotator.corpus.models.labels import Label, LabelSet
from annotator.corpus.models.layers import STAGE_NAMES, Layer, LayerKind, LayerQuerySet
from annotator.corpus.models.projects import (
    DEFAULT_THRESHOLD,
    Membership,
    Project,
    ProjectQuerySet,
    QueueOrder,
    Role,
    default_steps,
)
from annotator.corpus.models.spans import SURFACE_HEAD, Span, SurfaceHead

__all__ = [
    "DEFAULT_THRESHOLD",
    "DOCUMENT_STATES",
    "STAGE_NAMES",
    "SURFACE_HEAD",
    "DecisionKind",
    "Document",
    "DocumentQuerySet",
    "DocumentState",
    "FigureImage",
    "Label",
    "LabelSet",
    "Layer",
    "LayerKind",
    "LayerQuerySet",
    "Membership",
    "Project",
    "ProjectQuerySet",
    "QueueOrder",
    "ReviewMode",
    "Role",
    "Rule",
    "Segment",
    "SegmentQuerySet",
    "Span",
    "SurfaceHead",
    "Verdict",
    "default_steps",
    "draw_lot",
]

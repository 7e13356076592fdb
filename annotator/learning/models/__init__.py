"""The rows of the learning loop, one file an aggregate."""

from annotator.learning.models.affixes import ProjectAffixes
from annotator.learning.models.automatic import (
    ROUND_STATES,
    AutomaticRound,
    AutomaticTraining,
    RoundState,
)
from annotator.learning.models.canaries import Canary
from annotator.learning.models.effort import LabelEffort, LegendEffort
from annotator.learning.models.evaluations import Evaluation
from annotator.learning.models.model_versions import ModelOrigin, ModelTask, ModelVersion
from annotator.learning.models.promotions import GateRules, Promotion, PromotionKind, ServingModel
from annotator.learning.models.series import SERIES_STATES, SeriesKind, SeriesState, TrainingSeries
from annotator.learning.models.training_runs import RUN_STATES, RunState, TrainingRun

__all__ = [
    "ROUND_STATES",
    "RUN_STATES",
    "SERIES_STATES",
    "AutomaticRound",
    "AutomaticTraining",
    "Canary",
    "Evaluation",
    "GateRules",
    "LabelEffort",
    "LegendEffort",
    "ModelOrigin",
    "ModelTask",
    "ModelVersion",
    "ProjectAffixes",
    "Promotion",
    "PromotionKind",
    "RoundState",
    "RunState",
    "SeriesKind",
    "SeriesState",
    "ServingModel",
    "TrainingRun",
    "TrainingSeries",
]

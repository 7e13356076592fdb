"""The rows of the learning loop, one file an aggregate."""

from annotator.learning.models.automatic import AutomaticRound, AutomaticTraining
from annotator.learning.models.canaries import Canary
from annotator.learning.models.effort import LabelEffort, LegendEffort
from annotator.learning.models.evaluations import Evaluation
from annotator.learning.models.model_versions import ModelOrigin, ModelTask, ModelVersion
from annotator.learning.models.promotions import GateRules, Promotion, PromotionKind, ServingModel
from annotator.learning.models.series import SeriesKind, TrainingSeries
from annotator.learning.models.training_runs import RunState, TrainingRun

__all__ = [
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
    "Promotion",
    "PromotionKind",
    "RunState",
    "SeriesKind",
    "ServingModel",
    "TrainingRun",
    "TrainingSeries",
]

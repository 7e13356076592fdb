"""The learning loop in the admin: train on a snapshot, evaluate, compare, promote, roll back.

Every button calls the service that the API and the command line call; what a user may do there
depends on the user's role in the project. Importing the package registers the models.
"""

from annotator.learning.admin import models, promotions, training_runs, training_series
from annotator.learning.admin.overview import add_overview

__all__ = ["add_overview", "models", "promotions", "training_runs", "training_series"]

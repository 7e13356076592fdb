"""Columns get the names of the glossary; their values stay."""

from django.db import migrations, models


def rename(model, old, new):
    return migrations.RenameField(model_name=model, old_name=old, new_name=new)


def drop(model, name):
    return migrations.RemoveConstraint(model_name=model, name=name)


class Migration(migrations.Migration):
    dependencies = [("learning", "0001_initial")]

    operations = [
        drop("evaluation", "one_evaluation_of_a_model_on_a_snapshot_side"),
        rename("evaluation", "side", "split"),
        migrations.AddConstraint(
            model_name="evaluation",
            constraint=models.UniqueConstraint(
                fields=("model_version", "snapshot", "split"),
                name="one_evaluation_of_a_model_on_a_split",
            ),
        ),
        drop("labeleffort", "swept_are_among_the_accepted"),
        rename("labeleffort", "swept", "bulk_accepted"),
        rename("labeleffort", "edge", "boundaries_corrected"),
        migrations.AddConstraint(
            model_name="labeleffort",
            constraint=models.CheckConstraint(
                condition=models.Q(bulk_accepted__lte=models.F("accepted")),
                name="bulk_accepted_are_among_the_accepted",
            ),
        ),
        drop("canary", "canary_share_between_0_and_1"),
        rename("canary", "share", "fraction"),
        rename("canary", "beside", "serving_model"),
        migrations.AddConstraint(
            model_name="canary",
            constraint=models.CheckConstraint(
                condition=models.Q(fraction__gt=0, fraction__lt=1),
                name="canary_fraction_between_0_and_1",
            ),
        ),
        rename("automatictraining", "said", "check_result"),
        rename("automatictraining", "looked_at", "checked_at"),
    ]

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Rename remarks to comments and suspicions to label error candidates."""

    dependencies = [
        ("corpus", "0005_possible_label_errors"),
        ("review", "0005_suspicion"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RenameModel("Remark", "Comment"),
        migrations.AlterField(
            "comment",
            "author",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="comments",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            "comment",
            "document",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="comments",
                to="corpus.document",
            ),
        ),
        migrations.RemoveConstraint("suspicion", "suspicion_between_0_and_1"),
        migrations.RemoveConstraint("suspicion", "suspicion_is_of_something"),
        migrations.RenameModel("Suspicion", "LabelErrorCandidate"),
        migrations.RenameField("labelerrorcandidate", "found_start", "predicted_start"),
        migrations.RenameField("labelerrorcandidate", "found_end", "predicted_end"),
        migrations.RenameField("labelerrorcandidate", "found_label", "predicted_label"),
        migrations.AlterField(
            "labelerrorcandidate",
            "document",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="label_errors",
                to="corpus.document",
            ),
        ),
        migrations.AddConstraint(
            "labelerrorcandidate",
            models.CheckConstraint(
                condition=models.Q(("score__gte", 0), ("score__lte", 1)),
                name="label_error_score_between_0_and_1",
            ),
        ),
        migrations.AddConstraint(
            "labelerrorcandidate",
            models.CheckConstraint(
                condition=models.Q(("label", ""), ("predicted_label", ""), _negated=True),
                name="label_error_is_about_something",
            ),
        ),
    ]

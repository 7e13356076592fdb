"""Expected precision: existing projects keep their threshold and are offered the new default."""

from django.db import migrations, models

_MODES = [
    (
        "sweep",
        "Sweep: correct only errors; suggestions that are likely enough right are accepted with the"
        " legend",
    ),
    ("decide", "Decide: every suggestion that is less likely right needs its own decision"),
]


class Migration(migrations.Migration):
    dependencies = [("corpus", "0004_identifier_labels")]

    operations = [
        migrations.AddField(
            model_name="layer",
            name="is_calibrated",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="project",
            name="offers_new_defaults",
            field=models.BooleanField(default=True),
        ),
        migrations.AlterField(
            model_name="project",
            name="offers_new_defaults",
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name="project",
            name="review_mode",
            field=models.CharField(choices=_MODES, default="sweep", max_length=10),
        ),
        migrations.AlterField(
            model_name="project",
            name="threshold",
            field=models.FloatField(default=0.9),
        ),
    ]

"""The models of pipeline stages get the name of the glossary; the values stay."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("corpus", "0002_review_mode_words")]

    operations = [
        migrations.RenameField(model_name="layer", old_name="steps", new_name="stage_models"),
    ]

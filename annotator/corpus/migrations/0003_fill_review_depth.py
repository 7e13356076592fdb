"""Legends that were there before: a lot each, and the certainty of their suggestions."""

from django.db import migrations
from django.db.models import Avg, OuterRef, Subquery
from django.db.models.functions import Random


def fill(apps, schema_editor):
    documents = apps.get_model("corpus", "Document").objects.using(schema_editor.connection.alias)
    spans = apps.get_model("corpus", "Span").objects.using(schema_editor.connection.alias)
    suggested = spans.filter(layer__document=OuterRef("pk"), layer__kind="suggested", layer__superseded_at=None).order_by()
    documents.update(lot=Random())
    documents.update(certainty=Subquery(suggested.values("layer__document").annotate(mean=Avg("score")).values("mean")))


class Migration(migrations.Migration):
    dependencies = [("corpus", "0002_review_depth")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]

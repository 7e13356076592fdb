from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('corpus', '0004_steps_and_found_panels'),
    ]

    operations = [
        migrations.AddField(
            model_name='document',
            name='suspicion',
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='project',
            name='queue_order',
            field=models.CharField(choices=[('import', 'in order of import'), ('certainty', 'least certain first'), ('disagreement', 'where models disagree first'), ('newest', 'newest first'), ('paper', 'paper by paper'), ('suspicion', 'possible label errors first')], default='import', max_length=20),
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(fields=['project', '-suspicion', 'id'], name='document_by_suspicion'),
        ),
    ]

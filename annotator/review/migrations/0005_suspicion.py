import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('corpus', '0005_possible_label_errors'),
        ('review', '0004_operations_of_a_person'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Suspicion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('start', models.PositiveIntegerField()),
                ('end', models.PositiveIntegerField()),
                ('label', models.CharField(blank=True, max_length=50)),
                ('found_start', models.PositiveIntegerField(blank=True, null=True)),
                ('found_end', models.PositiveIntegerField(blank=True, null=True)),
                ('found_label', models.CharField(blank=True, max_length=50)),
                ('probability', models.FloatField()),
                ('score', models.FloatField()),
                ('source', models.CharField(max_length=200)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('was_right', models.BooleanField(blank=True, null=True)),
                ('document', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='suspicions', to='corpus.document')),
                ('settled_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['id'],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('score__gte', 0), ('score__lte', 1)), name='suspicion_between_0_and_1'),
                    models.CheckConstraint(condition=models.Q(('found_label', ''), ('label', ''), _negated=True), name='suspicion_is_of_something'),
                ],
            },
        ),
    ]

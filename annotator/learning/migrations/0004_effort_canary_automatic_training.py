import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('corpus', '0004_steps_and_found_panels'),
        ('datasets', '0003_rules_splits_and_rows'),
        ('learning', '0003_judging_and_gate'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='trainingrun',
            name='reason',
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AlterField(
            model_name='promotion',
            name='kind',
            field=models.CharField(choices=[('promoted', 'Promoted'), ('rolled_back', 'Rolled Back'), ('switched_off', 'Switched Off'), ('switched_on', 'Switched On'), ('canary_started', 'Canary Started'), ('canary_stopped', 'Canary Stopped')], max_length=20),
        ),
        migrations.CreateModel(
            name='LegendEffort',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('revision', models.PositiveIntegerField()),
                ('source', models.CharField(blank=True, max_length=200)),
                ('suggested_at', models.DateTimeField(blank=True, null=True)),
                ('n_actions', models.PositiveIntegerField(default=0)),
                ('seconds', models.FloatField(blank=True, null=True)),
                ('document', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='effort', to='corpus.document')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('seconds', None), ('seconds__gte', 0), _connector='OR'), name='seconds_of_effort_are_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='LabelEffort',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('task', models.CharField(choices=[('entities', 'entities'), ('panels', 'panels'), ('geneprod_roles', 'roles of gene products'), ('small_mol_roles', 'roles of small molecules')], default='entities', max_length=20)),
                ('source', models.CharField(max_length=200)),
                ('label', models.CharField(max_length=50)),
                ('accepted', models.PositiveIntegerField(default=0)),
                ('swept', models.PositiveIntegerField(default=0)),
                ('edge', models.PositiveIntegerField(default=0)),
                ('relabelled', models.PositiveIntegerField(default=0)),
                ('rejected', models.PositiveIntegerField(default=0)),
                ('left_out', models.PositiveIntegerField(default=0)),
                ('added', models.PositiveIntegerField(default=0)),
                ('legend', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='labels', to='learning.legendeffort')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('legend', 'task', 'source', 'label'), name='label_effort_once_in_a_legend'), models.CheckConstraint(condition=models.Q(('swept__lte', models.F('accepted'))), name='swept_are_among_the_accepted')],
            },
        ),
        migrations.CreateModel(
            name='AutomaticTraining',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_on', models.BooleanField(default=False)),
                ('every_panels', models.PositiveIntegerField(blank=True, null=True)),
                ('every_days', models.PositiveIntegerField(blank=True, null=True)),
                ('recipe', models.CharField(default='quick', max_length=50)),
                ('hyperparameters', models.JSONField(blank=True, default=dict)),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('looked_at', models.DateTimeField(blank=True, null=True)),
                ('said', models.TextField(blank=True)),
                ('changed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='automatic_training', to='corpus.project')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('is_on', False), ('every_panels__isnull', False), ('every_days__isnull', False), _connector='OR'), name='automatic_training_has_an_occasion'), models.CheckConstraint(condition=models.Q(('every_panels', None), ('every_panels__gte', 1), _connector='OR'), name='automatic_training_after_panels'), models.CheckConstraint(condition=models.Q(('every_days', None), ('every_days__gte', 1), _connector='OR'), name='automatic_training_after_days')],
            },
        ),
        migrations.CreateModel(
            name='AutomaticRound',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=300)),
                ('outcome', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='automatic_rounds', to='corpus.project')),
                ('run', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='automatic_round', to='learning.trainingrun')),
                ('snapshot', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='automatic_round', to='datasets.snapshot')),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('project',), name='one_unended_round_of_a_project')],
            },
        ),
        migrations.CreateModel(
            name='Canary',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('share', models.FloatField()),
                ('started_at', models.DateTimeField(auto_now_add=True)),
                ('stopped_at', models.DateTimeField(blank=True, null=True)),
                ('beside', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='learning.modelversion')),
                ('model_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='canaries', to='learning.modelversion')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='canaries', to='corpus.project')),
                ('started_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('stopped_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'canaries',
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('stopped_at', None)), fields=('project',), name='one_running_canary_in_a_project'), models.CheckConstraint(condition=models.Q(('share__gt', 0), ('share__lt', 1)), name='canary_share_between_0_and_1')],
            },
        ),
    ]

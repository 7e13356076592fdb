from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0002_sending_and_workers'),
    ]

    operations = [
        migrations.CreateModel(
            name='PeriodicWork',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, unique=True)),
                ('due_at', models.DateTimeField()),
            ],
            options={
                'verbose_name_plural': 'periodic work',
            },
        ),
    ]

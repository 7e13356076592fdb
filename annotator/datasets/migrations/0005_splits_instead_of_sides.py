from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("datasets", "0004_snapshot_state_labels")]

    operations = [
        migrations.RemoveIndex("snapshotrow", "datasets_sn_snapsho_3937ae_idx"),
        migrations.RenameField("splitfile", "sides", "splits"),
        migrations.RenameField("snapshotrow", "side", "split"),
        migrations.AddIndex(
            "snapshotrow",
            models.Index(
                fields=["snapshot", "split", "id"], name="datasets_sn_snapsho_122328_idx"
            ),
        ),
        migrations.AlterField(
            "snapshot",
            "state",
            models.CharField(
                choices=[("building", "being built"), ("ready", "ready"), ("failed", "failed")],
                default="building",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            "snapshotrules",
            "over_cap",
            models.CharField(
                choices=[
                    ("refuse", "refuse the snapshot"),
                    ("leave_out", "leave out the least reviewed panels until the limit is met"),
                ],
                default="refuse",
                max_length=10,
            ),
        ),
    ]

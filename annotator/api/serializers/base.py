"""Error answers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class ErrorSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField(help_text="One sentence: what is wrong and what to do.")


class ConflictSerializer(ErrorSerializer):
    revision = serializers.IntegerField(help_text="The current revision of the legend.")
    base_revision = serializers.IntegerField(
        help_text="The revision that the refused operation was based on."
    )
    operations_since = serializers.ListField(
        child=serializers.DictField(), help_text="The operations since base_revision, oldest first."
    )


class LockedSerializer(ErrorSerializer):
    holder = serializers.CharField(help_text="The user who holds the legend.")

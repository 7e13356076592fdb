"""Projects, documents and their spans."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotator.corpus.models import Document, Project
from annotator.lookup.identifiers import identifiers_of


class LabelSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    short = serializers.CharField()
    takes_role = serializers.BooleanField()


class ProjectSerializer(serializers.ModelSerializer[Project]):
    class Meta:
        model = Project
        fields = ["slug", "name", "description", "created_at"]
        read_only_fields = ["created_at"]


class ProjectDetailSerializer(ProjectSerializer):
    guideline = serializers.CharField(read_only=True)
    labels = LabelSerializer(many=True, read_only=True, source="label_set.labels")
    actions = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Your permissions in this project."
    )
    n_documents_by_state = serializers.DictField(child=serializers.IntegerField(), read_only=True)

    class Meta(ProjectSerializer.Meta):
        fields = [
            *ProjectSerializer.Meta.fields,
            "guideline",
            "labels",
            "actions",
            "n_documents_by_state",
        ]


class NewProjectSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200)
    slug = serializers.SlugField(max_length=80, required=False, default="", allow_blank=True)
    description = serializers.CharField(required=False, default="", allow_blank=True)


class DocumentSerializer(serializers.ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = [
            "id",
            "external_id",
            "doi",
            "title",
            "figure_label",
            "image",
            "state",
            "revision",
            "n_words",
            "n_panels",
            "sha256",
            "created_at",
            "accepted_at",
        ]
        read_only_fields = fields


class PanelSerializer(serializers.Serializer[Any]):
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    marker = serializers.CharField(allow_blank=True)


class SegmentSerializer(PanelSerializer):
    id = serializers.CharField(allow_blank=True, help_text="Id of the panel in its source.")
    image = serializers.CharField(allow_blank=True)


class IdentifierSerializer(serializers.Serializer[Any]):
    """An entry of an ontology or database."""

    id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    taxon = serializers.CharField(
        allow_blank=True, help_text="Number of the species in the NCBI taxonomy."
    )
    database = serializers.CharField(allow_blank=True)
    species = serializers.CharField(allow_blank=True)


class SpanSerializer(serializers.Serializer[Any]):
    """Offsets are Unicode code points into the document's text, half open."""

    id = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    surface = serializers.CharField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    role = serializers.CharField(allow_blank=True)
    score = serializers.FloatField(allow_null=True)
    identifiers = serializers.SerializerMethodField(
        help_text="Identifiers parsed from the attributes."
    )
    attributes = serializers.DictField()

    @extend_schema_field(IdentifierSerializer(many=True))
    def get_identifiers(self, span: Any) -> list[dict[str, Any]]:
        return [asdict(each) for each in identifiers_of(span.attributes)]


class DocumentDetailSerializer(DocumentSerializer):
    text = serializers.CharField(read_only=True)
    panels = SegmentSerializer(many=True, read_only=True)
    spans = SpanSerializer(
        many=True,
        read_only=True,
        help_text="Decided entities; gold from the file if nothing has been decided.",
    )
    suggestions = SpanSerializer(
        many=True, read_only=True, help_text="Current suggestions of a model or of the file."
    )

    class Meta(DocumentSerializer.Meta):
        fields = [*DocumentSerializer.Meta.fields, "text", "panels", "spans", "suggestions"]
        read_only_fields = fields

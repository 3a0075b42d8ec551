"""Imports on the API: an uploaded file is staged in the object store, a job reads it from there."""

from __future__ import annotations

import hashlib
from typing import Any, cast

from django.core.files.uploadedfile import UploadedFile
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import InputSerializer, PartViewSet, ReadSerializer, RoomViewSet
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.pagination import Keyset
from apps.core.permissions import Permission
from apps.jobs.api import JobSerializer
from apps.jobs.services import enqueue
from apps.tenancy.idempotency import Answer, earlier_answer, key_of, once
from apps.tenancy.throttling import WorkThrottle

from .filters import ImportRunFilter
from .import_kinds import IMPORT_KINDS, is_format_of, job_type
from .models import ImportRefusal, ImportRun
from .services.buckets import split_address
from .sources import discard_source, stage


class ImportRunSerializer(ReadSerializer):
    class Meta:
        model = ImportRun
        fields = (
            "id",
            "kind",
            "source",
            "format",
            "status",
            "rows_read",
            "rows_written",
            "rows_unchanged",
            "rows_refused",
            "summary",
            "error",
            "job_id",
            "started_at",
            "finished_at",
        )


class ImportRefusalSerializer(ReadSerializer):
    id = serializers.CharField()

    class Meta:
        model = ImportRefusal
        fields = ("id", "line", "field", "reason", "native_id")


class UploadSerializer(InputSerializer):
    kind = serializers.ChoiceField(choices=list(IMPORT_KINDS))
    file = serializers.FileField(
        max_length=200, required=False, help_text="The file; policies also as a ZIP of files"
    )
    address = serializers.CharField(
        max_length=1100,
        required=False,
        help_text="Instead of a file: s3://BUCKET/KEY, or s3://BUCKET/PREFIX/, read by a connected AWS account",
    )
    account = serializers.CharField(
        max_length=100, required=False, help_text="The AWS account of the address, if several are connected"
    )
    format = serializers.ChoiceField(
        choices=sorted({name for kind in IMPORT_KINDS.values() for name in kind.formats}),
        required=False,
        help_text="One of the kind's formats; told from the content if absent",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        kind, format_ = attrs["kind"], attrs.get("format")
        if format_ and not IMPORT_KINDS[kind].formats:
            raise serializers.ValidationError({"format": ["A policy file tells its own language."]})
        if format_ and not is_format_of(kind, format_):
            known = ", ".join(IMPORT_KINDS[kind].formats)
            raise serializers.ValidationError({"format": [f"One of {known} for {kind}."]})
        if ("file" in attrs) == ("address" in attrs):
            raise serializers.ValidationError({"file": ["Send a file, or an address."]})
        if "address" in attrs:
            split_address(attrs["address"])
        return attrs


class ImportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """Imports of inventory, policy, billing and findings files, with their counts."""

    queryset = ImportRun.objects.all()
    serializer_class = ImportRunSerializer
    filterset_class = ImportRunFilter
    orderings = {"-started_at": Keyset("-started_at", "-id"), "started_at": Keyset("started_at", "id")}
    lookup_value_converter = "uuid"
    write_permission = Permission.IMPORT
    parser_classes = [MultiPartParser]
    throttle_classes = [WorkThrottle]
    non_atomic = True
    untransacted = ("POST",)  # no transaction is open while a file travels to the object store

    @extend_schema(request=UploadSerializer, responses={202: JobSerializer})
    def create(self, request: Request) -> Response:
        """Upload an inventory, policy, billing or findings file; the answer is the job that imports it."""
        upload = self.validated(UploadSerializer)
        if "address" in upload:
            return self._from_bucket(request, upload)
        file = cast(UploadedFile, upload["file"])
        asked = {"kind": upload["kind"], "format": upload.get("format"), "name": file.name}
        if key_of(request) is not None:
            asked["sha256"] = _sha256(file)
            with tenant_transaction(current_tenant_id()):
                if answer := earlier_answer(request, asked):
                    return answer.as_response()
        params = {
            "object_key": stage(file.name or "upload", cast(Any, file)),
            "name": file.name,
            "format": upload.get("format"),
        }
        with tenant_transaction(current_tenant_id()):
            answer = once(request, asked, lambda: _start(job_type(upload["kind"]), params))
        if answer.replayed:
            discard_source(params)
        return answer.as_response()

    @staticmethod
    def _from_bucket(request: Request, asked: dict[str, Any]) -> Response:
        params = {
            "address": asked["address"],
            "account": asked.get("account"),
            "name": asked["address"],
            "format": asked.get("format"),
        }
        with tenant_transaction(current_tenant_id()):
            return once(request, asked, lambda: _start(job_type(asked["kind"]), params)).as_response()


class ImportRefusalViewSet(PartViewSet):
    """The rows of an import that did not land: line, field and reason."""

    whole = ImportRun
    by = "run_id"
    queryset = ImportRefusal.objects.all()
    serializer_class = ImportRefusalSerializer
    orderings = {"id": Keyset("id")}


def _start(type_: str, params: dict[str, Any]) -> Answer:
    job = enqueue(type_, params)
    location = reverse("api:job-detail", kwargs={"pk": job.pk})
    return Answer(status.HTTP_202_ACCEPTED, dict(JobSerializer(job).data), location)


def _sha256(file: UploadedFile) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()

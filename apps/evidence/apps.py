from django.apps import AppConfig


class EvidenceConfig(AppConfig):
    name = "apps.evidence"
    label = "evidence"

    def ready(self) -> None:
        from apps.audit.anchors import use_anchor_store
        from apps.catalog.sources import Staging, use_staging

        from .checkpoints import CheckpointBucket
        from .store import discard_staged, open_staged, stage

        use_staging(Staging(stage=stage, open=open_staged, discard=discard_staged))
        use_anchor_store(CheckpointBucket())

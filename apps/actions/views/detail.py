"""One action: its plan, approvals, progress, history and evidence; and its buttons."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views import View

from apps.core.errors import GovernanceError
from apps.core.json_tree import json_tree
from apps.core.requests import non_atomic
from apps.jobs.models import Job
from apps.tenancy.models import User
from apps.tenancy.pages import CommandPage, DetailPage
from apps.tenancy.permissions import RoleRequiredMixin
from apps.tenancy.roles import Permission

from ..evidence import manifest_of
from ..models import ENDED, Action, ActionApproval
from ..permissions import is_involved, refuse_unless_involved
from ..plans import differences
from ..services import cancel_action, propose_rollback, retry_action
from ..services.deciding import is_waiting
from ..services.downloading import evidence_url, verify_evidence
from ..services.ending import may_retry
from ..services.reversing import may_roll_back
from .lists import title_of

STEPS = ("queued", "preflight", "in_progress", "verifying", "completed")
# htmx stops polling when it gets this status.
STOP_POLLING = 286
EVENTS = 200


def is_moving(action: Action) -> bool:
    """Whether it goes on by itself: then the page asks how far it is."""
    return action.status not in ENDED and not is_waiting(action)


def progress_of(action: Action) -> dict[str, Any]:
    job = Job.objects.filter(pk=action.job_id).first() if action.job_id else None
    return {"action": action, "moving": is_moving(action), "waiting": is_waiting(action), "job": job}


class ActionDetail(DetailPage):
    template_name = "actions/action_detail.html"
    queryset = Action.objects.select_related("requested_by", "reverses")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        action, user = self._action(), self._user()
        rows = {row.ordinal: row for row in action.targets.order_by("ordinal")}
        plan = action.plan or {}
        own = {name: value for name, value in action.params.items() if name != "requires_approval"}
        approvals = list(
            ActionApproval.objects.filter(action=action)
            .select_related("decided_by")
            .order_by("created_at", "id")
        )
        valid = [
            a
            for a in approvals
            if (a.plan_revision, a.plan_sha256) == (action.plan_revision, action.plan_sha256)
        ]
        decides = (
            user.has_perm(Permission.DECIDE) and is_waiting(action) and action.requested_by_id != user.pk
        )
        return super().get_context_data(
            title=title_of(action),
            params=json_tree(own) if own else None,
            plan=plan,
            planned=[self._shown(target, rows) for target in plan.get("targets", [])],
            others=[
                row for row in rows.values() if row.ordinal not in {t["n"] for t in plan.get("targets", [])}
            ],
            approvals=approvals,
            given=sum(a.decision == "approved" for a in valid),
            events=action.event_records.order_by("-ts", "-id")[:EVENTS],
            evidence=list(enumerate(manifest_of(action.result), start=1)),
            reversals=list(action.reversals.order_by("-created_at")),
            can_decide=decides and user.pk not in {a.decided_by_id for a in valid},
            can_cancel=action.status in STEPS[:3]
            and is_involved(user, action)
            and not action.cancel_requested,
            can_retry=user.has_perm(Permission.REQUEST) and may_retry(action),
            can_roll_back=user.has_perm(Permission.REQUEST) and may_roll_back(action),
            **progress_of(action),
            **kwargs,
        )

    def _action(self) -> Action:
        found: Any = self.object
        action: Action = found
        return action

    def _user(self) -> User:
        user: Any = self.request.user
        found: User = user
        return found

    @staticmethod
    def _shown(target: dict[str, Any], rows: dict[int, Any]) -> dict[str, Any]:
        return {
            **target,
            "changes": differences(target["before"], target["after"]),
            "row": rows.get(target["n"]),
        }


class ActionProgress(RoleRequiredMixin, View):
    """A fragment that replaces itself every two seconds while the action goes on by itself."""

    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        action = get_object_or_404(Action, pk=pk)
        context = progress_of(action)
        shown = request.GET.get("status")
        response = TemplateResponse(
            request, "actions/_progress.html", context, status=200 if context["moving"] else STOP_POLLING
        )
        if shown is not None and (shown != action.status or not context["moving"]):
            response["HX-Refresh"] = "true"  # the whole page has more to say now
        return response


class ActionCommand(CommandPage):
    permission = Permission.REQUEST

    def fallback(self, **kwargs: Any) -> str:
        return reverse("actions:action-detail", args=[kwargs["pk"]])


class ActionCancel(ActionCommand):
    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        action = get_object_or_404(Action, pk=kwargs["pk"])
        user: Any = request.user
        refuse_unless_involved(user, action)
        cancel_action(action=action, reason=request.POST.get("reason", ""))
        return self.fallback(**kwargs)


class ActionRetry(ActionCommand):
    done = "It is tried again: what is done stays done."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        retry_action(action=get_object_or_404(Action, pk=kwargs["pk"]))
        return self.fallback(**kwargs)


class ActionRollBack(ActionCommand):
    done = "A rollback was asked for. It has its own plan and needs its own approval."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        action = get_object_or_404(Action, pk=kwargs["pk"])
        made = propose_rollback(action=action, reason=request.POST.get("reason", ""))
        return reverse("actions:action-detail", args=[made.pk])


@non_atomic
class EvidenceDownload(RoleRequiredMixin, View):
    """Reads and hashes the artifact, then sends the browser to a short-lived address at the store."""

    permission = Permission.EXPORT

    def get(self, request: HttpRequest, pk: UUID, number: int) -> HttpResponse:
        try:
            return HttpResponseRedirect(evidence_url(action_id=pk, number=number))
        except GovernanceError as error:
            return _told(request, pk, error)


@non_atomic
class EvidenceVerify(RoleRequiredMixin, View):
    """Reads every artifact of an action and compares it with the manifest."""

    permission = Permission.EXPORT
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        try:
            checked = verify_evidence(action_id=pk)
        except GovernanceError as error:
            return _told(request, pk, error)
        damaged = [c for c in checked if not c.holds]
        for item in damaged:
            messages.error(request, f"{item.entry['name']}: {item.problem}")
        if not damaged:
            messages.success(
                request, f"All {len(checked)} artifacts have the SHA-256 that was recorded for them."
            )
        return HttpResponseRedirect(reverse("actions:action-detail", args=[pk]))


def _told(request: HttpRequest, pk: UUID, error: GovernanceError) -> HttpResponse:
    if error.code == "not-found":
        raise Http404(str(error)) from error
    messages.error(request, str(error))
    return HttpResponseRedirect(reverse("actions:action-detail", args=[pk]))

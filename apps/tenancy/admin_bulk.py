"""Deciding on many rows: a page that lists each with its digest, then one savepoint a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse

from .admin_decisions import Decision, DecisionDesk, DecisionForm, Outcome

# A page that one person can read before he confirms it.
MAX_ITEMS = 200


def bulk_decision(
    model_admin: Any, request: HttpRequest, queryset: QuerySet, desk: DecisionDesk, decision: Decision
) -> HttpResponseBase | None:
    """The action's two steps: the first POST shows what would be decided, the second one decides it.

    What was listed is what is decided: the confirmation carries each id and digest, so a row that came or
    changed in between is not swept along.
    """
    if "confirm" in request.POST:
        form = DecisionForm(decision, request.POST)
        if form.is_valid():
            return _result(model_admin, request, desk, decision, form.cleaned_data["reason"])
        listed = desk.rows().filter(pk__in=_ids(model_admin, request))
        return _confirmation(model_admin, request, desk, decision, listed, form)
    return _confirmation(model_admin, request, desk, decision, queryset, DecisionForm(decision))


def _confirmation(
    model_admin: Any,
    request: HttpRequest,
    desk: DecisionDesk,
    decision: Decision,
    queryset: QuerySet,
    form: DecisionForm,
) -> HttpResponseBase | None:
    rows = list(queryset[: MAX_ITEMS + 1])
    if len(rows) > MAX_ITEMS:
        messages.error(
            request,
            f"More than {MAX_ITEMS} {desk.nouns} match. Nobody reads that many before he decides: "
            "narrow the filter or select fewer. Nothing was decided.",
        )
        return None
    desk.prepare(rows)
    for row in rows:
        row.digest, row.obstacle = desk.digest(row), desk.obstacle(decision, row, request.user.pk)
        row.decision_name, row.decision_where = desk.name(row), desk.where(row)
        row.decision_cells = list(zip(desk.columns, desk.cells(row), strict=True))
    context = {
        "title": f"{decision.verb.capitalize()} {desk.nouns}",
        "desk": desk,
        "decision": decision,
        "rows": [row for row in rows if not row.obstacle],
        "left_out": [row for row in rows if row.obstacle],
        "form": form,
        "action": request.POST.get("action", ""),
        "checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return _page(model_admin, request, "admin/desk/bulk_confirm.html", context)


def _result(
    model_admin: Any, request: HttpRequest, desk: DecisionDesk, decision: Decision, reason: str
) -> HttpResponseBase:
    outcomes = list(_outcomes(model_admin, request, desk, decision, reason))
    decided = sum(outcome.decided for outcome in outcomes)
    context = {
        "title": f"{decided} of {len(outcomes)} {decision.done}",
        "desk": desk,
        "decision": decision,
        "outcomes": outcomes,
        "change_url": f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}_change",
        "decided": decided,
        "skipped": len(outcomes) - decided,
    }
    return _page(model_admin, request, "admin/desk/bulk_result.html", context)


def _outcomes(
    model_admin: Any, request: HttpRequest, desk: DecisionDesk, decision: Decision, reason: str
) -> Iterator[Outcome]:
    # In the order of ids, so that two bulk decisions that meet wait for each other instead of deadlocking.
    for row_id in sorted(_ids(model_admin, request))[:MAX_ITEMS]:
        digest = request.POST.get(f"digest_{row_id}", "")
        yield desk.decide(decision, row_id, digest=digest, reason=reason)


def _ids(model_admin: Any, request: HttpRequest) -> set[Any]:
    field, found = model_admin.opts.pk, set()
    for text in request.POST.getlist(ACTION_CHECKBOX_NAME):
        try:
            found.add(field.to_python(text))
        except ValidationError:
            continue
    return found


def _page(model_admin: Any, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    return TemplateResponse(
        request,
        template,
        {**model_admin.admin_site.each_context(request), "opts": model_admin.opts, **context},
    )

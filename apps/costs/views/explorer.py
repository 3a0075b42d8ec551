"""The cost explorer: what was spent on what, over which days; the whole question stands in the address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict

from apps.core.emptiness import Emptiness
from apps.core.errors import InvalidInput
from apps.tenancy.pages import PlainPage
from apps.tenancy.roles import Permission

from ..explorer import (
    COMPARISONS,
    FILTERS,
    GRAINS,
    GROUPS,
    NOTHING,
    OTHER,
    Answer,
    Line,
    Question,
    ask,
    choices,
    question_of,
)
from ..exporting import export_answer
from ..services.settings import cost_settings

WORDS = {
    "service": "Service",
    "account": "Account",
    "region": "Region",
    "provider": "Provider",
    "category": "Kind of charge",
    "previous": "the days before",
    "year": "a year earlier",
    "": "nothing",
}
# What a click on a group shows next.
NEXT_GROUP = {"service": "account", "account": "service", "region": "service", "provider": "service"}


class Explorer(PlainPage):
    template_name = "costs/explorer.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        params = {name: values for name, values in request.GET.lists() if name != "export"}
        try:
            question = question_of(params)
        except InvalidInput as error:
            context = self.get_context_data(problem=str(error))
            return self.render_to_response(context, status=400)
        if "export" in request.GET:
            if not request.user.has_perm(Permission.EXPORT):
                raise PermissionDenied("Your role does not allow exports.")
            return self._export(request, question)
        return self.render_to_response(self.get_context_data(question=question))

    @staticmethod
    def _export(request: HttpRequest, question: Question) -> HttpResponse:
        try:
            return export_answer(question, request.GET["export"], dict(request.GET.lists()))
        except InvalidInput as error:
            return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")

    def get_context_data(
        self, question: Question | None = None, problem: str = "", **kwargs: Any
    ) -> dict[str, Any]:
        context = super().get_context_data(title="Costs", problem=problem, **kwargs)
        if question is None:
            return context
        answer = ask(question)
        labels = dict(cost_settings().account_names or {}) if question.group == "account" else {}
        here = self.request.GET.copy()
        here.pop("export", None)
        return context | {
            "question": question,
            "answer": answer,
            "rows": [self._row(question, answer, line, labels, here) for line in answer.lines],
            "buckets": list(zip(answer.buckets, _by_bucket(answer), answer.totals, strict=True)),
            "names": [labels.get(line.name, line.name) for line in answer.lines],
            "chart": chart_data(question, answer, labels),
            "form": _form(question),
            "csv_url": f"?{_with(here, export='csv')}",
            "json_url": f"?{_with(here, export='json')}",
            "emptiness": None if answer.lines else self._emptiness(),
        }

    @staticmethod
    def _emptiness() -> Emptiness:
        if not cost_settings().currency:
            return Emptiness(
                "No costs yet",
                "No billing export has been imported.",
                "catalog:import-create",
                "Import one",
                "import",
            )
        return Emptiness("Nothing on these days", "No charge passes these filters between these days.")

    @staticmethod
    def _row(
        question: Question, answer: Answer, line: Line, labels: dict[str, str], here: QueryDict
    ) -> dict[str, Any]:
        share = int(100 * line.total / answer.total) if answer.total else 0
        url = ""
        if line.name != OTHER:
            url = f"?{_narrowed(question, line.name, here)}"
        label = labels.get(line.name, "")
        return {
            "line": line,
            "share": share,
            "url": url,
            "label": label or line.name,
            "note": line.name if label else "",
        }


def _by_bucket(answer: Answer) -> Iterator[list[tuple[str, Any]]]:
    for n in range(len(answer.buckets)):
        yield [(line.name, line.amounts[n]) for line in answer.lines]


def _with(here: QueryDict, **changes: str) -> str:
    query = here.copy()
    for name, value in changes.items():
        query[name] = value
    return query.urlencode()


def _narrowed(question: Question, name: str, here: QueryDict) -> str:
    """The address that shows only this group, by what comes next."""
    query = here.copy()
    if question.group.startswith("tag:"):
        value = "" if name == NOTHING else name
        query.setlist("tag", [f"{question.group[4:]}={value}"])
        query["group"] = "service"
    else:
        query.setlist(question.group, [name])
        query["group"] = NEXT_GROUP.get(question.group, "service")
    return query.urlencode()


def chart_data(question: Question, answer: Answer, labels: dict[str, str]) -> dict[str, Any]:
    """What the chart draws; amounts as text, for the page's numbers are exact and the chart's need not be."""
    return {
        "days": [bucket.isoformat() for bucket in answer.buckets],
        "series": [
            {"name": labels.get(line.name, line.name), "amounts": [format(a, "f") for a in line.amounts]}
            for line in answer.lines
        ],
        "grain": question.grain,
        "currency": answer.currency,
    }


def _form(question: Question) -> dict[str, Any]:
    """The form's fields as the template draws them: (name, label, [(value, words, chosen)])."""
    keys = list(cost_settings().tag_keys or [])
    groups = [*GROUPS, *(f"tag:{key}" for key in keys)]
    found = choices(question)
    labels = dict(cost_settings().account_names or {})

    def options(name: str, values: list[str], chosen: list[str]) -> list[tuple[str, str, bool]]:
        return [
            (value, labels.get(value, value) if name == "account" else _words(value), value in chosen)
            for value in dict.fromkeys([*(v or NOTHING for v in chosen), *values])
        ]

    return {
        "selects": [
            ("group", "By", [(g, _words(g), g == question.group) for g in groups]),
            ("grain", "Per", [(g, g.capitalize(), g == question.grain) for g in GRAINS]),
            (
                "metric",
                "Cost",
                [(m, m.capitalize(), m == question.metric) for m in ("billed", "effective")],
            ),
            (
                "compare",
                "Compare with",
                [(c, _words(c).capitalize(), c == question.compare) for c in ("", *COMPARISONS)],
            ),
        ],
        "filters": [
            (name, WORDS[name], options(name, found[name], list(question.filters.get(name, []))))
            for name in FILTERS
        ],
        "tags": [
            f"{name[4:]}={value}"
            for name, values in question.filters.items()
            if name.startswith("tag:")
            for value in values
        ],
        "keys": keys,
        "filtered": bool(question.filters),
        "plain": urlencode({"from": question.start.isoformat(), "to": question.end.isoformat()}),
    }


def _words(value: str) -> str:
    return f"Tag {value[4:]}" if value.startswith("tag:") else WORDS.get(value, value)

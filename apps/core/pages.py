"""The list that every room's pages share: filters in the URL, keyset paging, bounded counts, whole exports.

A room's list names its queryset, filter set, orderings and columns; everything else is here. Who may see it
is asked by `apps.tenancy.pages`, which stands above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.safestring import mark_safe
from django.views import View
from django_filters import FilterSet

from .columns import Column
from .emptiness import Emptiness
from .errors import InvalidInput
from .exports import Export, LineFormat
from .pagination import COUNT_LIMIT, Keyset, Page, bounded_count, page_size

SIZES = (25, 50, 100, 200)
# Query parameters of the list itself; all others belong to its filters.
OWN_PARAMETERS = ("sort", "cursor", "page_size", "export")


@dataclass(frozen=True)
class Sort:
    """An ordering that people may choose: its name in the URL, its words, its keyset."""

    name: str
    label: str
    keyset: Keyset


@dataclass(frozen=True)
class Step:
    """What a list offers to begin: a URL name with an optional query, its words, and the key of `may`."""

    view: str
    label: str
    needs: str
    query: str = ""


@dataclass(frozen=True)
class Header:
    """A column's head: `url` leads to the ordering by it, if there is one; `sorted` is aria-sort's value."""

    label: str
    css: str
    url: str
    sorted: str


class ListPage(View):
    """A list of rows. Subclasses give `name`, `title`, `columns`, `sorts` (the first is the default) and
    `rows()`; `filterset_class` where it filters; `empty()` where emptiness has a reason worth telling.

    `primary` names the filters that are always in sight, the others are folded; `labels` renames them;
    `unlisted` are understood in the URL but not offered. `step` is the button at the head.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    lead: ClassVar[str] = ""
    columns: ClassVar[Sequence[Column]]
    sorts: ClassVar[Sequence[Sort]]
    filterset_class: ClassVar[type[FilterSet] | None] = None
    primary: ClassVar[Sequence[str]] = ()
    unlisted: ClassVar[Sequence[str]] = ()
    labels: ClassVar[Mapping[str, str]] = {}
    size: ClassVar[int] = 50
    template_name: ClassVar[str] = "desk/list.html"
    exportable: ClassVar[bool] = True
    # Formats of the list's own beside CSV and JSON, by what `?export=` calls them.
    line_formats: ClassVar[Mapping[str, LineFormat]] = {}
    step: ClassVar[Step | None] = None
    # What can be done with the rows that the filters let through; the page gets the filters along.
    follow: ClassVar[Step | None] = None

    def rows(self) -> models.QuerySet[Any]:
        raise NotImplementedError

    def empty(self) -> Emptiness:
        return Emptiness("Nothing here yet", f"There are no {self.title.lower()} so far.")

    def decorate(self, rows: list[Any]) -> None:
        """Add to the rows of one page, or of one batch of an export, what a query can't bring along."""

    def extra_context(self) -> dict[str, Any]:
        return {}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.problems: list[str] = []
        if "export" in request.GET and self.exportable:
            return self._export(request.GET["export"])
        page = self._page()
        self.decorate(page.items)
        context = self._context(page) | self.extra_context()
        code = 400 if self.problems else 200
        return TemplateResponse(request, self.template_name, context, status=code)

    # What the URL asks for

    @cached_property
    def filterset(self) -> FilterSet | None:
        if self.filterset_class is None:
            return None
        return self.filterset_class(self.request.GET, queryset=self.rows(), request=self.request)

    @cached_property
    def filtered(self) -> models.QuerySet[Any]:
        """The rows that the filters let through; none where a filter is wrong, never all of them."""
        filterset = self.filterset
        if filterset is None:
            return self.rows()
        return filterset.qs if not self._filter_problems else self.rows().none()

    @cached_property
    def _filter_problems(self) -> list[str]:
        filterset = self.filterset
        known = set(filterset.base_filters) if filterset is not None else set()
        unknown = sorted(set(self.request.GET) - known - set(OWN_PARAMETERS))
        problems = [f"There is no filter “{name}” in this list." for name in unknown]
        if filterset is not None and not filterset.is_valid():
            for name, errors in filterset.errors.items():
                problems.append(f"{self.label_of(name)}: {' '.join(errors)}")
        return problems

    def label_of(self, name: str) -> str:
        return self.labels.get(name) or name.replace("_", " ").capitalize()

    @cached_property
    def active_filters(self) -> dict[str, list[str]]:
        """The filters of the URL that hold something: {name: [values]}."""
        lists = dict(self.request.GET.lists())
        kept = {n: [str(v) for v in vs if v] for n, vs in lists.items() if n not in OWN_PARAMETERS}
        return {name: values for name, values in kept.items() if values}

    @cached_property
    def sort(self) -> Sort:
        wanted = self.request.GET.get("sort", "")
        for sort in self.sorts:
            if sort.name == wanted:
                return sort
        if wanted:
            self.problems.append(f"This list can't be ordered by “{wanted}”.")
        return self.sorts[0]

    @cached_property
    def _size(self) -> int:
        try:
            return page_size(self.request.GET.get("page_size"), self.size)
        except InvalidInput as error:
            self.problems.append(str(error))
            return self.size

    def _page(self) -> Page[Any]:
        self.problems += self._filter_problems
        cursor = self.request.GET.get("cursor")
        try:
            return self.sort.keyset.page(self.filtered, cursor=cursor, size=self._size)
        except InvalidInput as error:
            self.problems.append(str(error))
            return self.sort.keyset.page(self.filtered, cursor=None, size=self._size)

    # What the page shows

    def _url(self, **changes: str | None) -> str:
        query = self.request.GET.copy()
        for name, value in changes.items():
            query.pop(name, None)
            if value is not None:
                query[name] = value
        return f"?{query.urlencode()}"

    def _headers(self) -> list[Header]:
        return [self._header(column) for column in self.columns if column.shown]

    def _header(self, column: Column) -> Header:
        """Pressing the head of a column orders by it; pressing it again turns the order round, if declared."""
        if not column.sort:
            return Header(column.label, column.css, "", "")
        own = next(sort for sort in self.sorts if sort.name == column.sort)
        turned = next((s for s in self.sorts if s.keyset == own.keyset.reversed()), None)
        active = self.sort in (own, turned)
        way = ""
        if active:
            way = "descending" if self.sort.keyset.columns[0].startswith("-") else "ascending"
        target = turned if self.sort == own else own
        url = self._url(sort=target.name, cursor=None) if target is not None else ""
        return Header(column.label, column.css, url, way)

    def _context(self, page: Page[Any]) -> dict[str, Any]:
        shown = [c for c in self.columns if c.shown]
        count, exact = bounded_count(self.filtered)
        return {
            "list": self,
            "title": self.title,
            "headers": self._headers(),
            # Column.html escapes: cells are built by format_html alone.
            "rows": [[(c, mark_safe(c.html(row))) for c in shown] for row in page.items],  # noqa: S308
            "count": f"{count:,}" if exact else f"{COUNT_LIMIT:,}+",
            "one": count == 1,
            "next_url": self._url(cursor=page.next) if page.next else "",
            "previous_url": self._url(cursor=page.previous) if page.previous else "",
            "first_url": self._url(cursor=None) if page.previous else "",
            "sizes": [(n, self._url(page_size=str(n), cursor=None)) for n in sorted({*SIZES, self._size})],
            "size": self._size,
            "csv_url": self._url(export="csv", cursor=None, page_size=None),
            "json_url": self._url(export="json", cursor=None, page_size=None),
            "line_urls": [
                (own.label, self._url(export=name, cursor=None, page_size=None))
                for name, own in self.line_formats.items()
            ],
            "emptiness": self.empty() if not page.items and not self.active_filters else None,
            **self._fields(),
        }

    def _fields(self) -> dict[str, Any]:
        """The filter form's fields: those in sight, those folded, and whether the fold is open."""
        if self.filterset is None:
            return {"shown_fields": [], "folded_fields": [], "fold_open": False}
        fields = {name: self.filterset.form[name] for name in self.filterset.form.fields}
        for name, field in fields.items():
            field.label = self.label_of(name)
        folded = [f for n, f in fields.items() if n not in self.primary and n not in self.unlisted]
        return {
            "shown_fields": [fields[name] for name in self.primary],
            "folded_fields": folded,
            "fold_open": any(f.name in self.active_filters for f in folded),
            "carried": [(n, v) for n in self.unlisted for v in self.active_filters.get(n, [])],
        }

    # What is exported

    def _export(self, format_: str) -> HttpResponseBase:
        sort = self.sort
        if self._filter_problems or self.problems:
            text = "\n".join([*self._filter_problems, *self.problems])
            return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")
        export = Export(
            self.name,
            self.filtered,
            sort.keyset,
            self.columns,
            self.active_filters,
            self.decorate,
            self.line_formats,
        )
        try:
            return export.response(format_)
        except InvalidInput as error:
            return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")

"""What the templates of all rooms draw with."""

from __future__ import annotations

from typing import Any

from django import forms, template
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core import cells

from ..navigation import GROUPS

register = template.Library()
register.filter("severity", cells.severity)
register.filter("status", cells.status)
register.filter("moment", cells.moment)
register.filter("day", cells.day)
register.filter("code", cells.code)
register.filter("number", cells.number)
register.filter("tags", cells.tags)
register.filter("words", cells.words)


@register.filter
def holds(may: Any, needs: str) -> bool:
    """Whether the person who looks has the permission named `needs`: `{{ may|holds:list.step.needs }}`."""
    return bool(may.get(needs)) if isinstance(may, dict) else False


@register.simple_tag
def icon(name: str) -> SafeString:
    """A decorative drawing of the sprite; what it means stands beside it in words."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("desk/icons.svg"),
        name,
    )


@register.filter
def control(field: forms.BoundField) -> SafeString:
    """The field's widget with the design's classes and, where there are any, its help and errors by aria."""
    attrs: dict[str, Any] = {}
    widget = field.field.widget
    if isinstance(widget, forms.Select) and not isinstance(widget, forms.RadioSelect):
        attrs["class"] = "form-select"
    elif not isinstance(widget, forms.CheckboxInput | forms.RadioSelect | forms.CheckboxSelectMultiple):
        attrs["class"] = "form-control"
    described = [f"{field.id_for_label}-help"] if field.help_text else []
    if field.errors:
        attrs["aria-invalid"] = "true"
        described.append(f"{field.id_for_label}-errors")
    if described:
        attrs["aria-describedby"] = " ".join(described)
    return field.as_widget(attrs=attrs)


@register.filter
def is_group(field: forms.BoundField) -> bool:
    """Whether the field is several inputs, which a fieldset with a legend must hold together."""
    return isinstance(field.field.widget, forms.RadioSelect | forms.CheckboxSelectMultiple)


@register.filter
def is_choices(field: forms.BoundField) -> bool:
    """A choice of several from a short closed list: drawn as chips that can be pressed."""
    return isinstance(field.field, forms.MultipleChoiceField)


@register.inclusion_tag("desk/_navigation.html", takes_context=True)
def navigation(context: dict[str, Any]) -> dict[str, Any]:
    request = context.get("request")
    here = getattr(getattr(request, "resolver_match", None), "view_name", "")
    may = context.get("may", {})
    groups = []
    for group in GROUPS:
        places = [
            (p, reverse(p.view), here == p.view or here in p.under) for p in group.places if may.get(p.needs)
        ]
        if places:
            groups.append((group.label, places))
    return {"groups": groups}


@register.simple_tag
def url_if_there(view: str, *args: Any) -> str:
    """The URL of a page that another room may not have (the admin, the API's documentation), else nothing."""
    try:
        return reverse(view, args=args)
    except NoReverseMatch:
        return ""

"""The rules of approval: one for a kind of action, one for all others; for admins alone."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.catalog.models import SEVERITIES
from apps.core.errors import InvalidInput
from apps.tenancy.admin_base import DeskModelAdmin
from apps.tenancy.admin_display import age
from apps.tenancy.roles import Permission

from ..models import MOST_TARGETS, ActionRule
from ..ports import all_executors, find_executor
from ..rules import SAFE
from ..services.rules import set_rule

PEOPLE = [(0, "nobody"), (1, "one person"), (2, "two people")]


def _people(label: str, help_text: str = "") -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        choices=PEOPLE,
        coerce=int,
        widget=UnfoldAdminSelectWidget(choices=()),
        label=label,
        help_text=help_text,
    )


def _number(label: str, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        min_value=1,
        max_value=MOST_TARGETS,
        widget=UnfoldAdminIntegerFieldWidget(),
        label=label,
        help_text=help_text,
    )


class WordsField(forms.CharField):
    """A list of words, written with commas."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[str]:
        return [word.strip() for word in super().clean(value).split(",") if word.strip()]


class RuleForm(forms.ModelForm):
    """Of the numbers that apply to an action the greatest counts."""

    kind = forms.ChoiceField(
        widget=UnfoldAdminSelectWidget(choices=()), required=False, label="Kind of action"
    )
    enabled = forms.BooleanField(
        required=False, initial=True, widget=UnfoldBooleanSwitchWidget(), label="In force",
        help_text="Switched off, the rule for all others applies, or the safe one where there is none.",
    )  # fmt: skip
    approvals = _people("Approvals, always", "Nobody: it is carried out as soon as its plan is made.")
    risky_approvals = _people("For kinds of high risk")
    severe_from = forms.ChoiceField(
        choices=[("", "never"), *((s, s) for s in SEVERITIES)], required=False,
        widget=UnfoldAdminSelectWidget(choices=()), label="Violations count as severe from",
    )  # fmt: skip
    severe_approvals = _people("For severe violations")
    many_from = _number("Many are more than", "Resources in one action")
    many_approvals = _people("For many resources")
    environment_tags = WordsField(
        required=False, label="Tags that name the environment", help_text="With commas between"
    )
    production_values = WordsField(
        required=False, label="Their values for production", help_text="With commas between"
    )
    production_approvals = _people("For production")
    blast_limit = _number("Limit of resources", "How many one action may touch")
    over_limit = forms.ChoiceField(
        choices=[("refuse", "is refused"), ("second_approver", "needs two people")],
        widget=UnfoldAdminSelectWidget(choices=()), label="What is above the limit",
    )  # fmt: skip

    class Meta:
        model = ActionRule
        fields = ("kind", *(name for name in SAFE if name != "kind"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [(k, f"{e.kind.title} ({k})") for k, e in sorted(all_executors().items())]
        self.fields["kind"].choices = [("", "Every kind without a rule of its own"), *kinds]  # type: ignore[attr-defined]
        if self.instance._state.adding:
            for name, value in SAFE.items():
                self.fields[name].initial = value
        else:
            self.fields["kind"].disabled = True
            self.fields["kind"].choices = [  # type: ignore[attr-defined]
                (self.instance.kind, str(self.instance))
            ]

    def clean_kind(self) -> str:
        kind: str = self.cleaned_data["kind"]
        if self.instance._state.adding and ActionRule.objects.filter(kind=kind).exists():
            raise ValidationError("There is a rule for this already: change that one.")
        return kind

    def _post_clean(self) -> None:
        """The service checks and writes; the model's own defaults are expressions that a form can't check."""


@admin.register(ActionRule)
class ActionRuleAdmin(DeskModelAdmin):
    view_permission = add_permission = change_permission = Permission.MANAGE
    form = RuleForm
    list_display = (
        "kind_",
        "enabled",
        "approvals",
        "risky_approvals",
        "production_approvals",
        "limit",
        "changed",
    )
    list_display_links = ("kind_",)
    ordering = ("kind", "id")
    search_fields = ("^kind", "id")

    @display(description="For")
    def kind_(self, row: ActionRule) -> str:
        executor = find_executor(row.kind)
        return executor.kind.title if executor is not None else str(row)

    @display(description="Limit")
    def limit(self, row: ActionRule) -> str:
        return f"{row.blast_limit}, {'above it: two people' if row.over_limit != 'refuse' else 'no more'}"

    @display(description="Changed")
    def changed(self, row: ActionRule) -> str:
        return age(row.updated_at)

    def save_model(self, request: HttpRequest, obj: ActionRule, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in SAFE if name != "kind"}
        kind = obj.kind if change else form.cleaned_data["kind"]
        try:
            saved = set_rule(kind=kind, values=values)
        except InvalidInput as error:
            raise InvalidInput(f"{error.field}: {error}", field=error.field) from error
        obj.pk, obj.kind, obj._state.adding = saved.pk, saved.kind, False

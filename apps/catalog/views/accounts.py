"""Cloud accounts: the list with why there is no data, connecting one, its page with test and discovery."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property

from apps.core import cells
from apps.core.columns import Column
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.emptiness import Emptiness
from apps.core.errors import GovernanceError
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.core.requests import non_atomic
from apps.tenancy.cloud_accounts import change_account, create_account, disconnect_account
from apps.tenancy.models import CloudAccount, CloudCredential
from apps.tenancy.models_clouds import PROVIDERS
from apps.tenancy.pages import CommandPage, DetailPage, FormPage, ListPage
from apps.tenancy.roles import Permission

from ..models_discovery import FAILED, DiscoveryScope
from ..services import check_account, start_discovery
from ..services.discoveries import why_no_data

SHOWN_SCOPES = 50
SHOWN_REFERENCES = 50
LISTING_WORDS = (
    ("describe", "By each service's own calls, in depth"),
    ("config", "By AWS Config's aggregator"),
    ("explorer", "By each service's own calls, and Resource Explorer for what else there is"),
)


class AccountList(ListPage):
    name = "catalog.accounts"
    title = "Cloud accounts"
    lead = "The accounts that are read and acted upon, and why there is no data where there is none."
    step = Step("catalog:account-create", "Connect an account", "manage")
    sorts = (Sort("account", "By cloud and account", Keyset("provider", "account", "id")),)
    columns = (
        Column("account", "Account", css="main",
               cell=lambda a: cells.link(str(a), "catalog:account-detail", a.pk, note=a.account)),
        Column("id", "Id", shown=False),
        Column("provider", "Cloud", cell=lambda a: cells.coded(a.provider)),
        Column("status", "Status", cell=lambda a: cells.status(a.status)),
        Column("reference", "Credentials", shown=False),
        Column("resources", "Resources", css="num", value=lambda a: a.last_result.get("resources"),
               cell=lambda a: cells.number(a.last_result.get("resources"))),
        Column("discovered_at", "Discovered", cell=lambda a: cells.moment(a.discovered_at), css="when"),
        Column("why", "Why no data", value=why_no_data, css="wide"),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        return CloudAccount.objects.all()

    def empty(self) -> Emptiness:
        return Emptiness(
            "No account is connected",
            "Resources come from files alone. Connect an account to have them discovered.",
            "catalog:account-create",
            "Connect an account",
            "manage",
        )


class HowItIsReached(forms.Form):
    """What may be said of an account when it is connected, and changed later."""

    credential = forms.CharField(
        max_length=1100, label="Credential reference", help_text="Where the credentials are; never a secret"
    )
    name = forms.CharField(max_length=200, required=False, help_text="What people call it")
    regions = forms.CharField(
        max_length=1000,
        required=False,
        help_text="Of AWS, separated by commas; all enabled regions if left empty",
    )
    listing = forms.ChoiceField(
        choices=LISTING_WORDS,
        required=False,
        help_text="Of AWS. Config and Resource Explorer have to be set up in the account.",
    )
    discover_every_minutes = forms.IntegerField(
        required=False, label="Discover every … minutes", help_text="Left empty: by hand only"
    )

    def clean_listing(self) -> str:
        return str(self.cleaned_data["listing"] or LISTING_WORDS[0][0])

    def clean_regions(self) -> list[str]:
        return str(self.cleaned_data["regions"]).split(",")


class AccountForm(HowItIsReached):
    provider = forms.ChoiceField(
        choices=[(name, name.upper()) for name in PROVIDERS], label="Cloud", initial="aws"
    )
    account = forms.CharField(
        max_length=100, help_text="The cloud's own id: account, subscription or project"
    )
    field_order = ("provider", "account")


class ReferencePage(FormPage):
    """A form with the references that the platform allows beside it."""

    permission = Permission.MANAGE
    template_name = "catalog/account_form.html"

    @property
    def provider(self) -> str | None:
        """Whose references are shown; None for all."""
        return None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        allowed = CloudCredential.objects.filter(revoked_at=None)
        if self.provider:
            allowed = allowed.filter(provider=self.provider)
        shown = list(allowed.order_by("provider", "kind", "pattern")[:SHOWN_REFERENCES])
        return super().get_context_data(
            **{"allowed": shown, "back": reverse("catalog:account-list")} | kwargs
        )


class AccountCreate(ReferencePage):
    """The test follows on the account's own page."""

    form_class = AccountForm
    done = "The account is written down. Test it: its credentials have to prove that it is yours."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            title="Connect a cloud account", crumb="Cloud accounts", button="Connect", **kwargs
        )

    def act(self, form: AccountForm) -> str:
        made = create_account(**form.cleaned_data)
        return reverse("catalog:account-detail", args=[made.pk])


class AccountChange(ReferencePage):
    form_class = HowItIsReached
    done = "The account is changed."

    @cached_property
    def account(self) -> CloudAccount:
        return get_object_or_404(CloudAccount, pk=self.kwargs["pk"])

    @property
    def provider(self) -> str:
        return self.account.provider

    def get_form(self, form_class: Any = None) -> HowItIsReached:
        form: HowItIsReached = super().get_form(form_class)
        if self.provider != "aws":  # only AWS is read region by region
            del form.fields["regions"], form.fields["listing"]
        return form

    def get_initial(self) -> dict[str, Any]:
        account = self.account
        return {
            "credential": account.reference,
            "name": account.name,
            "regions": ", ".join(account.regions),
            "listing": account.listing,
            "discover_every_minutes": account.discover_every_minutes,
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        back = reverse("catalog:account-detail", args=[self.account.pk])
        title = f"Change {self.account}"
        return super().get_context_data(
            title=title, crumb=str(self.account), button="Save", back=back, **kwargs
        )

    def act(self, form: HowItIsReached) -> str:
        changed = change_account(account=self.account, **form.cleaned_data)
        return reverse("catalog:account-detail", args=[changed.pk])


class AccountDetail(DetailPage):
    template_name = "catalog/account_detail.html"
    model = CloudAccount

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        account: CloudAccount = self.object
        failed = DiscoveryScope.objects.filter(account=account, status=FAILED).order_by("region", "type")
        return super().get_context_data(
            title=str(account),
            listing=dict(LISTING_WORDS)[account.listing] if account.provider == "aws" else "",
            why=why_no_data(account),
            failed=list(failed[:SHOWN_SCOPES]),
            counts=[
                (label, account.last_result[key]) for label, key in _COUNTS if key in account.last_result
            ],
            **kwargs,
        )


_COUNTS = (
    ("Resources", "resources"),
    ("Written", "written"),
    ("Unchanged", "unchanged"),
    ("Gone", "gone"),
    ("Refused", "refused"),
)


@non_atomic
class AccountTest(CommandPage):
    """Asks the cloud, with no transaction open meanwhile."""

    permission = Permission.MANAGE

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        with tenant_transaction(current_tenant_id()):
            get_object_or_404(CloudAccount, pk=kwargs["pk"])
        try:
            account = check_account(account_id=kwargs["pk"])
        except GovernanceError as error:
            messages.error(request, str(error))
        else:
            # A problem is said on the account's page, as long as it lasts.
            if not account.problem:
                messages.success(request, "The credentials are the account's own: it is connected.")
        return HttpResponseRedirect(reverse("catalog:account-detail", args=[kwargs["pk"]]))


class AccountDiscover(CommandPage):
    permission = Permission.IMPORT

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        job = start_discovery(account=get_object_or_404(CloudAccount, pk=kwargs["pk"]))
        return reverse("jobs:job-detail", args=[job.pk])

    def fallback(self, **kwargs: Any) -> str:
        return reverse("catalog:account-detail", args=[kwargs["pk"]])


class AccountDisconnect(CommandPage):
    permission = Permission.MANAGE
    done = "The account is disconnected. What was discovered stays."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        disconnect_account(account=get_object_or_404(CloudAccount, pk=kwargs["pk"]))
        return self.fallback(**kwargs)

    def fallback(self, **kwargs: Any) -> str:
        return reverse("catalog:account-detail", args=[kwargs["pk"]])

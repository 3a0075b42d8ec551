"""Changes of single resources: tags, virtual servers, and who of the public may read a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import botocore.exceptions

from ..calls import Made
from ..errors import CloudConflict, CloudInvalid
from ..records import region_of

if TYPE_CHECKING:
    from .cloud import IbmCloud

# Everybody, signed in or not, is a member of this group of every account.
PUBLIC_GROUP = "AccessGroupId-PublicAccess"
_TAGS_A_PAGE = 1000  # and no resource has more
Policy = dict[str, Any]


@dataclass(frozen=True)
class Crn:
    """The parts of a CRN that a call needs."""

    service: str
    location: str
    instance: str
    type: str
    resource: str


def crn_of(cloud: IbmCloud, native_id: str) -> Crn:
    """Raises CloudInvalid for what is no CRN, or another account's."""
    parts = native_id.split(":", 9)
    if len(parts) != 10 or parts[0] != "crn":
        raise CloudInvalid(f"{native_id[:200]!r} is not a CRN.")
    if parts[6] != f"a/{cloud.access.account}":
        raise CloudInvalid(f"{native_id[:200]!r} is not of account {cloud.access.account}.")
    return Crn(parts[4], parts[5], parts[7], parts[8], parts[9])


def read_tags(cloud: IbmCloud, native_id: str) -> dict[str, str]:
    """User tags; IBM's are words, of which `key:value` is a custom. One without a colon has an empty value."""
    crn_of(cloud, native_id)
    with cloud.calling("read tags"):
        found = cloud.tagging.list_tags(
            attached_to=native_id, providers=["ghost"], tag_type="user", limit=_TAGS_A_PAGE
        ).get_result()
    pairs = (item["name"].partition(":") for item in found.get("items", []))
    return {key.strip(): value.strip() for key, _, value in pairs}


def attach_tags(cloud: IbmCloud, native_id: str, tags: Mapping[str, str]) -> Made:
    """Set these tags, each in place of any other with the same key, and leave the others."""
    names = [_word(key, value) for key, value in tags.items()]
    resources = [{"resource_id": native_id}]
    with cloud.calling("set tags"):
        answer = cloud.tagging.attach_tag(
            resources=resources, tag_names=names, tag_type="user", update=True
        ).get_result()
    return _tagged("global-tagging.tag.attach", "set tags", native_id, names, answer)


def detach_tags(cloud: IbmCloud, native_id: str, tags: Mapping[str, str]) -> Made:
    """Remove exactly these tags."""
    names = [_word(key, value) for key, value in tags.items()]
    resources = [{"resource_id": native_id}]
    with cloud.calling("remove tags"):
        answer = cloud.tagging.detach_tag(resources=resources, tag_names=names, tag_type="user").get_result()
    return _tagged("global-tagging.tag.detach", "remove tags", native_id, names, answer)


def _word(key: str, value: str) -> str:
    return f"{key}:{value}" if value else key


def _tagged(operation: str, doing: str, native_id: str, names: list[str], answer: Any) -> Made:
    """The service answers 200 and says of each resource whether it failed."""
    for result in answer.get("results", []):
        if result.get("is_error"):
            raise CloudConflict(
                f"IBM Cloud could not {doing}: {str(result.get('message', 'it does not say why'))[:500]}",
                operation=doing,
                code=str(result.get("code", "")),
            )
    return Made(operation, {"resource_id": native_id, "tag_names": names}, dict(answer))


def read_instance(cloud: IbmCloud, native_id: str, location: str | None) -> dict[str, Any]:
    """`power`: running, stopped, stopping, starting, …"""
    vpc, name = _instance(cloud, native_id, location)
    with cloud.calling("read the virtual server"):
        found = vpc.get_instance(id=name).get_result()
    return {"power": str(found.get("status", "unknown")).lower()}


def act_on_instance(cloud: IbmCloud, native_id: str, location: str | None, action: str) -> Made:
    """`stop` (as by its power button) or `start`."""
    vpc, name = _instance(cloud, native_id, location)
    with cloud.calling(f"{action} the virtual server"):
        answer = vpc.create_instance_action(instance_id=name, type=action).get_result()
    kept = {key: answer[key] for key in ("id", "type", "status", "created_at") if key in answer}
    return Made(f"is.instance.{action}", {"id": native_id, "type": action}, kept)


def _instance(cloud: IbmCloud, native_id: str, location: str | None) -> tuple[Any, str]:
    crn = crn_of(cloud, native_id)
    if (crn.service, crn.type) != ("is", "instance"):
        raise CloudInvalid(f"{native_id[:200]!r} is not the CRN of a virtual server.")
    region = region_of("ibm", crn.location or location) or ""
    return cloud.vpc(region), crn.resource


def read_bucket(cloud: IbmCloud, native_id: str, location: str | None) -> dict[str, Any]:
    """`block_public_acls`, `ignore_public_acls`, `public_policies` (of the account, that name the bucket)."""
    crn, storage = _bucket(cloud, native_id, location)
    block = _block_of(cloud, storage, crn.resource)
    return {
        "block_public_acls": block.get("BlockPublicAcls", False),
        "ignore_public_acls": block.get("IgnorePublicAcls", False),
        "public_policies": [policy_core(policy) for policy in public_policies(cloud, crn)],
    }


def _block_of(cloud: IbmCloud, storage: Any, bucket: str) -> dict[str, bool]:
    with cloud.calling("read the bucket's public access block"):
        try:
            found = storage.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        except botocore.exceptions.ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchPublicAccessBlockConfiguration":
                return {}
            raise
    return {key: bool(found.get(key)) for key in ("BlockPublicAcls", "IgnorePublicAcls")}


def public_policies(cloud: IbmCloud, crn: Crn) -> list[Policy]:
    """The policies that let everybody into this one bucket; wider ones are not the bucket's to close."""
    found, start = [], None
    while True:
        with cloud.calling("read the policies of the public access group"):
            answer = cloud.policies.list_policies(
                account_id=cloud.access.account, access_group_id=PUBLIC_GROUP, type="access", start=start
            ).get_result()
        found += [policy for policy in answer.get("policies", []) if _names(policy, crn)]
        start = (answer.get("next") or {}).get("start")
        if not start:
            return sorted(found, key=lambda policy: str(policy_core(policy)))


def _names(policy: Policy, crn: Crn) -> bool:
    for resource in policy.get("resources", []):
        held = {item["name"]: item["value"] for item in resource.get("attributes", [])}
        if held.get("resourceType") == "bucket" and held.get("resource") == crn.resource:
            return bool(held.get("serviceInstance", crn.instance) == crn.instance)
    return False


def policy_core(policy: Policy) -> Policy:
    """What a policy grants, without its id and dates: what is compared, and what is put back."""
    attributes = [
        sorted(
            (
                {key: item[key] for key in ("name", "value", "operator") if key in item}
                for item in resource["attributes"]
            ),
            key=lambda item: str(item["name"]),
        )
        for resource in policy.get("resources", [])
    ]
    roles = sorted(role["role_id"] for role in policy.get("roles", []))
    return {"roles": roles, "resources": attributes}


def set_acl_block(
    cloud: IbmCloud, native_id: str, location: str | None, *, block: bool, ignore: bool
) -> Made:
    """Whether new public ACLs are refused, and whether those of the bucket and its objects count for nothing."""
    crn, storage = _bucket(cloud, native_id, location)
    wanted = {"BlockPublicAcls": block, "IgnorePublicAcls": ignore}
    with cloud.calling("set the bucket's public access block"):
        answer = storage.put_public_access_block(Bucket=crn.resource, PublicAccessBlockConfiguration=wanted)
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return Made("s3.PutPublicAccessBlock", {"bucket": crn.resource, **wanted}, {"status": status})


def delete_public_policies(cloud: IbmCloud, native_id: str) -> list[Made]:
    """Take away what lets everybody into the bucket."""
    crn, made = crn_of(cloud, native_id), []
    for policy in public_policies(cloud, crn):
        with cloud.calling("delete a policy of the public access group"):
            cloud.policies.delete_policy(policy_id=policy["id"])
        made.append(Made("iam.policy.delete", {"id": policy["id"], **policy_core(policy)}, {"status": 204}))
    return made


def create_public_policies(cloud: IbmCloud, native_id: str, wanted: list[Policy]) -> list[Made]:
    """Put policies of `policy_core` back, where they are not there; they get new ids."""
    crn, made = crn_of(cloud, native_id), []
    held = [policy_core(policy) for policy in public_policies(cloud, crn)]
    for core in wanted:
        if core in held:
            held.remove(core)  # two policies may grant the same
            continue
        group = {"name": "access_group_id", "value": PUBLIC_GROUP}
        with cloud.calling("create a policy of the public access group"):
            answer = cloud.policies.create_policy(
                type="access",
                subjects=[{"attributes": [group]}],
                roles=[{"role_id": role} for role in core["roles"]],
                resources=[{"attributes": attributes} for attributes in core["resources"]],
            ).get_result()
        made.append(Made("iam.policy.create", dict(core), {"id": answer.get("id")}))
    return made


def _bucket(cloud: IbmCloud, native_id: str, location: str | None) -> tuple[Crn, Any]:
    crn = crn_of(cloud, native_id)
    if (crn.service, crn.type) != ("cloud-object-storage", "bucket"):
        raise CloudInvalid(f"{native_id[:200]!r} is not the CRN of a bucket.")
    # A bucket's CRN says `global`; where it lies is the inventory's to tell.
    region = location if crn.location in ("", "global") else crn.location
    if not region or region == "global":
        raise CloudInvalid(f"Nothing tells in which region bucket {crn.resource} lies.")
    return crn, cloud.storage(region)

"""Databases: take away the public address, stop."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from apps.connectors.aws import rds
from apps.connectors.aws.names import region_in

from .aws_base import AwsExecutor, Params, Recording, name_of
from .base import CannotPlan, Change, Kind, State, Target
from .prices import aws_price, cents

TYPES = ("aws.rds",)
# AWS starts a stopped database again after a week.
STOPPED_HOURS = Decimal(7 * 24)


class MakePrivate(AwsExecutor):
    kind = Kind(
        type="aws.rds.make_private",
        title="Take a database off the internet",
        provider="aws",
        resource_types=TYPES,
        risk="high",
        reversible=True,
        description="The database's name resolves to its private address alone.",
    )

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        one = rds.database(aws, aws.region, name_of(target))
        return {
            "public": bool(one.get("PubliclyAccessible")),
            # AWS shows the old value until it is done.
            "modifying": one["DBInstanceStatus"] == "modifying",
        }

    def plan(self, target: Target, state: State, params: Params) -> Change:
        if state["modifying"]:
            raise CannotPlan("The database is being modified: look again when it is available.")
        return Change(
            before=state,
            after={**state, "public": False},
            summary=f"Make the database {name_of(target)} reachable from its network only.",
            undo="It gets a public address again, another one than before; its name stays.",
            disruption="Clients outside the network lose the connection. Changes that wait for the maintenance window "
            "are applied at once as well.",
        )

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        if now["public"] != wanted["public"]:
            rds.set_public(aws, aws.region, name_of(target), wanted["public"])
        return {}

    def pending(self, state: State, wanted: State) -> bool:
        return bool(state["modifying"])


class Stop(AwsExecutor):
    kind = Kind(
        type="aws.rds.stop",
        title="Stop a database",
        provider="aws",
        resource_types=TYPES,
        risk="high",
        reversible=True,
        description="Stops the database. Storage and backups are still paid for, and AWS starts it again after seven "
        "days.",
    )

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        one = rds.database(aws, aws.region, name_of(target))
        return {
            "status": one["DBInstanceStatus"],
            "class": one["DBInstanceClass"],
            "cluster": one.get("DBClusterIdentifier"),
            "replica_of": one.get("ReadReplicaSourceDBInstanceIdentifier"),
            "replicas": sorted(one.get("ReadReplicaDBInstanceIdentifiers", [])),
        }

    def plan(self, target: Target, state: State, params: Params) -> Change:
        if state["cluster"]:
            raise CannotPlan("The database belongs to a cluster, which is stopped as a whole.")
        if state["replica_of"] or state["replicas"]:
            raise CannotPlan("A database with read replicas, or that is one, can't be stopped.")
        if state["status"] not in ("available", "stopped"):
            raise CannotPlan(f"The database is {state['status']}: look again when it is available.")
        hourly = aws_price("database_hour", state["class"], region_in(target.native_id, target.location))
        return Change(
            before=state,
            after={**state, "status": "stopped"},
            summary=f"Stop the database {name_of(target)} ({state['class']}); AWS starts it again after seven days.",
            undo="The database is started again, which takes some minutes.",
            disruption="The database is not there until it is started again.",
            monthly_saving=cents(hourly * STOPPED_HOURS) if hourly is not None else None,
        )

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        if not self.pending(now, wanted):
            (rds.stop if wanted["status"] == "stopped" else rds.start)(aws, aws.region, name_of(target))
        return {}

    def pending(self, state: State, wanted: State) -> bool:
        return bool(state["status"] == ("stopping" if wanted["status"] == "stopped" else "starting"))

"""Load balancers: application, network and gateway (`aws.app-elb`), and classic ones (`aws.elb`)."""

from __future__ import annotations

from .rows import Ask, Listed, Lister, Row, row, token_request, with_details

PAGE = 400


def _balancers(ask: Ask, token: str | None) -> Listed:
    told = ask("elbv2", "describe_load_balancers", PageSize=PAGE, **token_request("Marker", token))
    rows = [
        row(
            ask,
            "aws.app-elb",
            one["LoadBalancerArn"],
            one,
            name=one["LoadBalancerName"],
            location=ask.region,
        )
        for one in told["LoadBalancers"]
    ]
    return Listed(rows, told.get("NextMarker") or None)


def _balancer(ask: Ask, found: Row) -> Row:
    arn = found["id"]
    tags = ask("elbv2", "describe_tags", ResourceArns=[arn])["TagDescriptions"]
    attributes = ask("elbv2", "describe_load_balancer_attributes", LoadBalancerArn=arn)["Attributes"]
    return with_details(
        found,
        tags[0]["Tags"] if tags else [],
        Attributes={one["Key"]: one["Value"] for one in attributes},
        Listeners=_listeners(ask, arn),
    )


def _listeners(ask: Ask, arn: str) -> list[Row]:
    """All of them: at most 50, which is a page."""
    told = ask("elbv2", "describe_listeners", LoadBalancerArn=arn)["Listeners"]
    return sorted(told, key=lambda one: str(one["ListenerArn"]))


def _classics(ask: Ask, token: str | None) -> Listed:
    told = ask("elb", "describe_load_balancers", PageSize=PAGE, **token_request("Marker", token))
    rows = [
        row(
            ask,
            "aws.elb",
            ask.arn("elasticloadbalancing", f"loadbalancer/{one['LoadBalancerName']}"),
            one,
            name=one["LoadBalancerName"],
            location=ask.region,
        )
        for one in told["LoadBalancerDescriptions"]
    ]
    return Listed(rows, told.get("NextMarker") or None)


def _classic(ask: Ask, found: Row) -> Row:
    name = found["name"]
    tags = ask("elb", "describe_tags", LoadBalancerNames=[name])["TagDescriptions"]
    about = ask("elb", "describe_load_balancer_attributes", LoadBalancerName=name)["LoadBalancerAttributes"]
    return with_details(found, tags[0]["Tags"] if tags else [], Attributes=about)


BALANCING: dict[str, Lister] = {
    "aws.app-elb": Lister(_balancers, _balancer),
    "aws.elb": Lister(_classics, _classic),
}

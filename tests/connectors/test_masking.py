"""Values that may be secret leave a document before it is kept; what the detectors said of them stays."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from apps.connectors.masking import FINDINGS, is_masked, masked_document
from apps.connectors.secret_places import PLACES

KEY = b"k" * 32
PASSWORD = "hunter2-Correct-Horse"


def masked(type_: str, document: dict[str, Any]) -> dict[str, Any]:
    found = masked_document(type_, document, KEY)
    assert found is not None
    return found


def test_a_functions_variables_are_masked_and_their_names_stay() -> None:
    given = {"Variables": {"DB_PASSWORD": PASSWORD, "LEVEL": "verbose", "DEBUG": "true", "PORT": "8080"}}
    document = {"FunctionName": "pay", "Environment": given}
    kept = masked("aws.lambda", document)
    variables = kept["Environment"]["Variables"]
    assert list(variables) == list(given["Variables"])
    assert is_masked(variables["DB_PASSWORD"])
    assert is_masked(variables["LEVEL"])
    assert (variables["DEBUG"], variables["PORT"]) == ("true", "8080"), "switches are what policies ask for"
    assert kept["FunctionName"] == "pay"
    (found,) = kept[FINDINGS]
    assert found["kind"] == "environment"
    assert found["told"].startswith("a secret by its name in variable DB_PASSWORD (fingerprint ")
    assert PASSWORD not in json.dumps(kept)
    assert document["Environment"]["Variables"]["DB_PASSWORD"] == PASSWORD, "the given one is left alone"


def test_masking_again_changes_nothing_and_another_value_is_seen() -> None:
    document = {"Environment": {"Variables": {"DB_PASSWORD": PASSWORD}}}
    kept = masked("aws.lambda", document)
    assert masked_document("aws.lambda", kept, KEY) is None
    assert masked("aws.lambda", document) == kept
    assert masked("aws.lambda", {"Environment": {"Variables": {"DB_PASSWORD": f"{PASSWORD}!"}}}) != kept
    other_tenant = masked_document("aws.lambda", document, b"o" * 32)
    assert other_tenant != kept, "the same secret of two tenants can't be recognised"


def test_user_data_is_masked_whole_and_looked_through_before() -> None:
    script = f"#!/bin/sh\n\nexport DB_PASSWORD={PASSWORD}\n"
    kept = masked("aws.ec2", {"InstanceId": "i-1", "UserData": base64.b64encode(script.encode()).decode()})
    assert is_masked(kept["UserData"])
    assert "in user data, line 3" in kept[FINDINGS][0]["told"]


def test_references_stay_and_pairs_keep_their_names() -> None:
    variables = [
        {"name": "DB", "value": PASSWORD, "type": "PLAINTEXT"},
        {"name": "TOKEN", "value": "/prod/token", "type": "PARAMETER_STORE"},
    ]
    kept = masked("aws.codebuild", {"environment": {"environmentVariables": variables}})
    first, second = kept["environment"]["environmentVariables"]
    assert (first["name"], first["type"], is_masked(first["value"])) == ("DB", "PLAINTEXT", True)
    assert second == variables[1]
    settings = {
        "Variables": {
            "ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:x",
            "VAULT": "@Microsoft.KeyVault(x=y)",
        }
    }
    assert masked_document("aws.lambda", {"Environment": settings}, KEY) is None


def test_googles_switches_stay_for_policies() -> None:
    items = [
        {"key": "enable-oslogin", "value": "TRUE"},
        {"key": "startup-script", "value": f"echo {PASSWORD}"},
    ]
    kept = masked("gcp.instance", {"metadata": {"items": items}})
    oslogin, script = kept["metadata"]["items"]
    assert oslogin == items[0]
    assert (script["key"], is_masked(script["value"])) == ("startup-script", True)


@pytest.mark.parametrize(
    "odd", [None, 5, "x", [], {}, [None], [[1]], {"a": 1}, True, {"name": None, "value": 3}]
)
def test_a_document_of_an_unexpected_shape_is_left_as_it_is(odd: Any) -> None:
    for place in PLACES:
        document: Any = odd
        for step in reversed(place.steps):
            document = {step: document}
        for type_ in place.types:
            kept = masked_document(type_, document, KEY)
            if kept is not None:
                assert PASSWORD not in json.dumps(kept)


def test_every_place_hides_a_text_of_each_shape() -> None:
    shapes: list[Any] = [PASSWORD, {"DB_PASSWORD": PASSWORD}, [{"name": "DB_PASSWORD", "value": PASSWORD}],
                         {"NAME": "x", "VALUE": "y", "DB_PASSWORD": PASSWORD}]  # fmt: skip
    for place in PLACES:
        for shape in shapes:
            document: Any = shape
            for step in reversed(place.steps):
                document = {step: document}
            assert PASSWORD not in json.dumps(masked(place.types[0], document)), (place, shape)

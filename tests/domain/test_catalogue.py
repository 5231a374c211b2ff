"""The catalogue: complete, consistent, and in the order that the API lists."""

import re

import pytest

from ringpost.domain.catalogue import (
    ALIASES,
    CATALOGUE,
    IMAGE_VARIABLES,
    SECRET_VARIABLES,
    EventType,
    Kind,
    canonical_name,
)
from ringpost.domain.deliveries import Urgency

NAMES = (
    "USER_CREATION QUEUE_CALL_LOST QUEUE_SLA QUEUE_CALLBACK QUEUE_CALLBACK_FAILED VOICEMAIL_RECEIVED "
    "CALL_REPORT_COMPLETED DISK_LOW EMERGENCY_CALL LICENSE_LIMITED RECHARGE CONFERENCE_INVITATION TRUNK_CONNECTED "
    "TRUNK_DISCONNECTED"
)
TOGGLES = {
    "USER_CREATION": "notify_user_registration",
    "QUEUE_CALL_LOST": "notify_queue_call_lost",
    "QUEUE_SLA": "notify_queue_sla_breached",
    "QUEUE_CALLBACK": "notify_queue_callback",
    "QUEUE_CALLBACK_FAILED": "notify_queue_callback_failed",
}

each_type = pytest.mark.parametrize("event_type", CATALOGUE.values(), ids=list(CATALOGUE))


def test_the_types_stand_in_the_order_that_the_api_lists() -> None:
    assert " ".join(CATALOGUE) == NAMES


def test_five_types_can_be_switched_and_the_others_are_always_on() -> None:
    assert {name: kind.toggle for name, kind in CATALOGUE.items() if kind.toggle} == TOGGLES


def test_one_type_is_an_emergency_and_four_are_alerts() -> None:
    urgent = {name: kind.urgency for name, kind in CATALOGUE.items() if kind.urgency is not Urgency.NORMAL}

    assert urgent == {
        "DISK_LOW": Urgency.ALERT,
        "EMERGENCY_CALL": Urgency.EMERGENCY,
        "LICENSE_LIMITED": Urgency.ALERT,
        "TRUNK_CONNECTED": Urgency.ALERT,
        "TRUNK_DISCONNECTED": Urgency.ALERT,
    }


@each_type
def test_every_type_knows_the_tenant_the_portal_and_the_time(event_type: EventType) -> None:
    assert {"TENANT_NAME", "PBX_WEB_DOMAIN", "DATE_TIME"} <= event_type.variable_names


@each_type
def test_every_variable_has_a_plain_name_a_sentence_and_a_sample(event_type: EventType) -> None:
    for variable in event_type.variables:
        assert re.fullmatch(r"[A-Z0-9_]{1,64}", variable.name)
        assert variable.description.endswith(".")
        assert variable.sample


@each_type
def test_no_variable_is_listed_twice(event_type: EventType) -> None:
    assert len(event_type.variables) == len(event_type.variable_names) == len(event_type.samples)


def test_secrets_are_the_passwords_the_pin_and_the_code_that_holds_them() -> None:
    assert {"USER_PASSWORD", "EXTENSION_PASSWORD", "VOICEMAIL_PIN", "QR_CODE", "PASSWORD"} == SECRET_VARIABLES


def test_an_alias_leads_to_a_variable_and_other_names_stay() -> None:
    names = {variable.name for kind in CATALOGUE.values() for variable in kind.variables}

    assert set(ALIASES.values()) <= names
    assert not ALIASES.keys() & names
    assert canonical_name("DATA_TIME") == "DATE_TIME"
    assert canonical_name("SOMETHING") == "SOMETHING"


def test_the_images_are_those_that_the_table_says_are() -> None:
    images = {
        variable.name for kind in CATALOGUE.values() for variable in kind.variables if variable.kind is Kind.IMAGE
    }

    assert images | {alias for alias, name in ALIASES.items() if name in images} == IMAGE_VARIABLES

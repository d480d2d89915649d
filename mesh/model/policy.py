"""The organisation's policy: what people, not code, decide (`policy.json`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, get_args

from mesh.model.agreement import AgreementPolicy
from mesh.model.compatibility import MODES, Mode
from mesh.model.delivery import STANDARD_SCHEDULE
from mesh.model.notice import NoticePolicy
from mesh.model.odcs_variables import NAME
from mesh.model.principal import Grant
from mesh.model.rate import Rate
from mesh.model.template import Encryption, Network, SecurityProfile, WaiverPolicy

_ALLOWED = {"network": get_args(Network), "encryption": get_args(Encryption)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The policy, read once.

    Attributes:
        approval_classifications: a contract with a field of one of these classifications is
            published only after somebody approved it.
        schedule: pause before each attempt at a notification.
        quick: how long an attempt may take, so that it holds nobody up.
        patient: how long an attempt at a subscriber may take that was too slow for that.
        at_once: attempts that one instance makes at one subscriber at a time.
        violations_shown: how many violations a receipt holds in full; of all, the
            records are in the reject file.
        violations_listed: how many violations are listed beside the reject file; more are counted.
        compatibility: what a new version of a contract must keep to be published under the same
            major version (`docs/compatibility.md`).
        variables: values of the variables that contracts may use; no secrets, for what a contract
            says is public.
        profiles: what infrastructure has to offer, by classification (`docs/templates.md`).
        waivers: who lets a product use a template that satisfies too little, and for how long.
        grants: what principals may do, beside what their app roles say (`docs/security.md`).
        rate: how many calls of the HTTP API one caller may make of one instance.
        agreements: who decides who may consume, and for how long.
        notices: how long before its end consumers are told that an output port ends.
    """

    approval_classifications: frozenset[str] = frozenset({"restricted"})
    schedule: tuple[timedelta, ...] = STANDARD_SCHEDULE
    quick: timedelta = timedelta(seconds=5)
    patient: timedelta = timedelta(seconds=20)
    at_once: int = 4
    violations_shown: int = 100
    violations_listed: int = 1_000_000
    compatibility: Mode = "forward_transitive"
    variables: Mapping[str, str] = field(default_factory=dict)
    profiles: tuple[SecurityProfile, ...] = ()
    waivers: WaiverPolicy = WaiverPolicy()  # noqa: RUF009 - it is frozen
    grants: tuple[Grant, ...] = ()
    rate: Rate = Rate()  # noqa: RUF009 - it is frozen
    agreements: AgreementPolicy = field(default_factory=AgreementPolicy)
    notices: NoticePolicy = field(default_factory=NoticePolicy)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Policy:
        """Read the content of `policy.json`.

        Raises:
            ValueError: something is missing or of the wrong type; the message names it.
        """
        try:
            told = data["notifications"]
            seconds = told["schedule_seconds"]
            policy = cls(
                approval_classifications=frozenset(data["approval"]["classifications"]),
                schedule=tuple(timedelta(seconds=pause) for pause in seconds),
                quick=timedelta(seconds=told["quick_seconds"]),
                patient=timedelta(seconds=told["patient_seconds"]),
                at_once=int(told["at_once_per_subscriber"]),
                violations_shown=int(data["receipts"]["violations_shown"]),
                violations_listed=int(data["receipts"].get("violations_listed", 1_000_000)),
                compatibility=_mode(data["contracts"]["compatibility"]),
                variables=_variables(data["contracts"].get("variables", {})),
                profiles=_profiles(data["security"]["profiles"]),
                waivers=WaiverPolicy.from_data(data["security"]["waivers"]),
                grants=tuple(Grant.from_data(entry) for entry in data["access"]["grants"]),
                rate=_rate(data["api"]),
                agreements=AgreementPolicy.from_data(data["agreements"]),
                notices=NoticePolicy.from_data(data["notices"]),
            )
        except (KeyError, TypeError, ValueError) as wrong:
            message = f"policy.json cannot be read: {type(wrong).__name__}: {wrong}."
            raise ValueError(message) from None
        if not policy.schedule or min(policy.schedule) < timedelta(0):
            message = "policy.json: notifications.schedule_seconds needs pauses of 0 or more."
            raise ValueError(message)
        if not timedelta(0) < policy.quick <= policy.patient or policy.at_once < 1:
            message = (
                "policy.json: notifications needs 0 < quick_seconds ≤ patient_seconds and "
                "at_once_per_subscriber of 1 or more."
            )
            raise ValueError(message)
        return policy


def _rate(told: Mapping[str, Any]) -> Rate:
    rate = Rate(per_minute=int(told["calls_per_minute"]), burst=int(told["calls_at_once"]))
    if min(rate.per_minute, rate.burst) < 1:
        message = "api.calls_per_minute and api.calls_at_once have to be 1 or more"
        raise ValueError(message)
    return rate


def _mode(name: str) -> Mode:
    """The mode of this name, in capital letters as the Schema Registry writes it."""
    for mode in MODES:
        if name.lower() == mode:
            return mode
    message = f"contracts.compatibility is {name!r}, not one of {', '.join(MODES).upper()}"
    raise ValueError(message)


def _variables(data: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in data.items():
        if not NAME.fullmatch(name) or not isinstance(value, str):
            message = f"contracts.variables.{name} is {value!r}; it takes NAME: text"
            raise ValueError(message)
    return dict(data)


def _profiles(data: Mapping[str, Mapping[str, Any]]) -> tuple[SecurityProfile, ...]:
    """The security profiles by name; a classification belongs to one of them."""
    found = tuple(_profile(name, given) for name, given in data.items())
    named = [one for profile in found for one in profile.classifications]
    twice = sorted({one for one in named if named.count(one) > 1})
    if twice:
        message = f"security.profiles has {', '.join(twice)} in more than one profile"
        raise ValueError(message)
    return found


def _profile(name: str, given: Mapping[str, Any]) -> SecurityProfile:
    for member, allowed in _ALLOWED.items():
        if given[member] not in allowed:
            told = f"security.profiles.{name}.{member} is {given[member]!r}"
            message = f"{told}, not one of {', '.join(allowed)}"
            raise ValueError(message)
    return SecurityProfile(
        name=name,
        classifications=tuple(text.lower() for text in given["classifications"]),
        network=given["network"],
        encryption=given["encryption"],
        retention_days=int(given["retention_days"]),
        readers=str(given["readers"]),
        writers=str(given["writers"]),
    )

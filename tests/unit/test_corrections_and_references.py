"""Corrections of files whose rows point at other rows: what pointed at nothing then, and now."""

from __future__ import annotations

import json

import pytest

from mesh.model.record import Verdict
from tests.unit.conftest import COUNTRIES, contract, declaration
from tests.unit.test_relationships import HARBOURS, LIST, PLACE, PORTS, referring

ORPHAN = b"locode,country\nCHBSL,CH\nFRMRS,FR\nNAWVB,NA\n"


@pytest.fixture
def harbours(countries):
    countries.onboard(declaration(PORTS, referring(), ports=(("ports", "1.0.0"),)))
    countries.land(f"{PLACE}/all.csv", LIST)
    return countries


def mend(world, entry, data):
    told = json.loads(world.storage.blobs[entry.receipt].data)
    return world.land(told["correction"]["place"].removeprefix("landing/"), data)


def test_a_row_that_pointed_at_nothing_is_not_kept_though_it_would_be_good_now(harbours):
    first = harbours.land(f"{HARBOURS}/all.csv", ORPHAN)
    assert first.rejected == 1
    harbours.land(f"{PLACE}/all.csv", LIST + b"FR,France,\n")

    second = mend(harbours, first, b"locode,country\nFRMRS,FR\n")

    assert (second.verdict, second.kept) == (Verdict.ACCEPTED, 2)
    assert second.summary == "No bad row among 1."


def test_kept_rows_that_point_at_nothing_any_more_need_the_whole_file(harbours):
    first = harbours.land(f"{HARBOURS}/all.csv", ORPHAN)
    harbours.land(f"{PLACE}/all.csv", b"code,name,area\nCH,Switzerland,\nFR,France,\n")

    second = mend(harbours, first, b"locode,country\nFRMRS,FR\n")

    assert second.verdict is Verdict.REJECTED
    assert "1 good records of the file that this one mends point at nothing" in second.summary


def test_a_correction_may_point_at_the_rows_it_joins(world):
    document = contract()
    parent = {
        "name": "parent",
        "logicalType": "string",
        "relationships": [{"to": "countries.code"}],
    }
    document["schema"][0]["properties"].append(parent)
    saga = world.onboard(declaration(COUNTRIES, document))
    assert saga.status == "registered", saga.findings
    first = world.land(
        f"{PLACE}/all.csv", b"code,name,parent\nCH,Switzerland,\nGB,,\nGI,Gibraltar,GB\n"
    )
    assert first.rejected == 2

    second = mend(
        world,
        first,
        b"code,name,parent\nGB,United Kingdom,\nGI,Gibraltar,GB\nLI,Liechtenstein,CH\n",
    )

    assert (second.verdict, second.kept) == (Verdict.ACCEPTED, 1), second.summary

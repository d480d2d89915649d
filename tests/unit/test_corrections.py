"""Corrections: a reject file, mended and dropped again, joins the good rows it belongs to."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from pyarrow import parquet

from mesh import landing
from mesh.model.record import Verdict
from tests.unit.conftest import COUNTRIES, contract, declaration
from tests.unit.test_publishing import FORMATS

PLACE = "geography/countries/v1/countries"
FILE = (
    b"code,name,area\nCH,Switzerland,41285\nxx,Germany,357022\nNA,Namibia,\n"
    b"FR,,551695\nAT,Austria,1\n"
)
SPLIT = {
    "customProperties": [
        {"property": "fileAcceptance", "value": {"mode": "split", "maxRejectedShare": 0.5}}
    ]
}
MENDED = b"code,name,area\nDE,Germany,357022\nFR,France,551695\n"
CODES = {"CH", "DE", "NA", "FR", "AT"}


@pytest.fixture
def split(world):
    saga = world.onboard(declaration(COUNTRIES, contract(more=SPLIT)))
    assert saga.status == "registered", saga.findings
    return world


def mend(world, entry, data):
    """Drop the corrected reject file of a drop where its receipt says."""
    place = world.receipt(entry)["correction"]["place"]
    return world.land(place.removeprefix("landing/"), data)


def published(world, entry):
    blob = world.storage.blobs[world.receipt(entry)["locations"]["parquet"]]
    return [row["code"] for row in parquet.read_table(io.BytesIO(blob.data)).to_pylist()]


def test_a_correction_and_the_good_rows_it_joins_are_published_as_one(countries):
    first = countries.land(f"{PLACE}/rundate=2026-11-22/all.csv", FILE)
    assert first.verdict is Verdict.REJECTED
    place = countries.receipt(first)["correction"]["place"]
    assert place == f"landing/{PLACE}/rundate=2026-11-22/mends={first.drop}/all.csv"

    second = mend(countries, first, MENDED)

    assert (second.verdict, second.rows, second.accepted, second.kept) == ("accepted", 2, 2, 3)
    assert set(published(countries, second)) == CODES
    told = countries.receipt(second)
    assert told["joins"] == {"drops": [first.drop], "rows": 3}
    assert told["manifest"]["rows"] == 5
    whole = countries.storage.blobs[told["locations"]["published"]].data
    assert whole == (
        b"code,name,area\nCH,Switzerland,41285\nNA,Namibia,\nAT,Austria,1\n"
        b"DE,Germany,357022\nFR,France,551695\n"
    )
    data = countries.events()[-1]["data"]
    assert (data["pieces"], data["period"]) == ([first.drop, second.drop], "2026-11-22")
    assert data["snapshot"]["rows"] == 5
    [snapshot] = countries.backbone.registry.snapshots(COUNTRIES)
    assert (snapshot.drop, snapshot.rows, snapshot.period) == (second.drop, 5, "2026-11-22")
    ledger = countries.backbone.registry
    assert ledger.entry(COUNTRIES, second.drop).mends == first.drop
    assert ledger.entry(COUNTRIES, first.drop).mended_by == second.drop


def test_a_correction_of_a_split_file_replaces_what_was_published_of_it(split):
    first = split.land(f"{PLACE}/all.csv", FILE)
    assert set(published(split, first)) == {"CH", "NA", "AT"}

    second = mend(split, first, MENDED)

    assert set(published(split, second)) == CODES
    [snapshot] = split.backbone.registry.snapshots(COUNTRIES)
    assert (snapshot.drop, snapshot.landed_at) == (second.drop, first.landed_at)


def test_rejects_and_violations_never_lie_in_one_place(countries):
    line = b'{"code": "xx", "name": "Germany"}\n'
    first = countries.land(f"{PLACE}/violations.jsonl", b'{"code": "NA", "name": "N"}\n' + line)

    told = countries.receipt(first)["locations"]
    assert countries.storage.blobs[told["rejects"]].data == line
    assert b"pattern" in countries.storage.blobs[told["violations"]].data

    second = mend(countries, first, line.replace(b"xx", b"DE"))
    assert set(published(countries, second)) == {"NA", "DE"}


def test_a_correction_can_be_corrected(countries):
    first = countries.land(f"{PLACE}/all.csv", FILE)
    second = mend(countries, first, MENDED.replace(b"FR,France", b"fr,France"))
    assert (second.verdict, second.rejected) == ("rejected", 1)

    third = mend(countries, second, b"code,name,area\nFR,France,551695\n")

    assert (third.verdict, third.kept, third.mends) == ("accepted", 4, second.drop)
    assert set(published(countries, third)) == CODES
    assert countries.events()[-1]["data"]["pieces"] == [first.drop, second.drop, third.drop]
    assert countries.receipt(second)["correction"]["place"].count("mends=") == 1


def test_a_correction_can_be_dropped_again_in_its_own_place(countries):
    first = countries.land(f"{PLACE}/all.csv", FILE)
    bad = mend(countries, first, MENDED.replace(b"FR", b"fr"))
    good = mend(countries, first, MENDED)
    better = mend(countries, first, MENDED.replace(b"551695", b"551696"))

    assert [entry.verdict for entry in (bad, good, better)] == ["rejected", "accepted", "accepted"]
    assert set(published(countries, better)) == CODES
    assert countries.backbone.registry.entry(COUNTRIES, first.drop).mended_by == better.drop


def test_a_key_of_a_kept_row_is_taken(countries):
    first = countries.land(f"{PLACE}/all.csv", FILE)

    second = mend(countries, first, MENDED.replace(b"DE,", b"CH,"))

    assert second.verdict is Verdict.REJECTED
    [violation] = countries.receipt(second)["violations"]
    assert (violation["row"], violation["line"], violation["rule"]) == (1, 2, "primaryKey")
    assert violation["message"].endswith("'CH' is already in the file that this one mends.")


def test_counts_of_the_contract_are_of_the_whole(world):
    rule = {"metric": "rowCount", "mustBe": 5, "type": "library"}
    document = contract()
    document["schema"][0]["quality"] = [rule]
    world.onboard(declaration(COUNTRIES, document))
    first = world.land(f"{PLACE}/all.csv", FILE)

    short = mend(world, first, MENDED.rpartition(b"FR")[0])
    assert "it is 4" in short.summary

    assert mend(world, first, MENDED).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("name", [*FORMATS, "countries.jsonl"])
def test_the_reject_file_of_any_format_is_a_correction_once_it_is_mended(countries, name):
    def lines(rows):
        return b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    made = FORMATS.get(name, lines)
    rows = [
        {"code": "CH", "name": "Switzerland", "area": 1},
        {"code": "xx", "name": "Nowhere", "area": 2},
    ]
    first = countries.land(f"{PLACE}/{name}", made(rows))
    place = countries.receipt(first)["correction"]["place"]
    assert place.endswith(f"/{name}")

    second = mend(countries, first, made([{**rows[1], "code": "DE"}]))

    assert second.verdict is Verdict.ACCEPTED, second.summary
    assert published(countries, second) == ["CH", "DE"]
    ending = ".parquet" if name.endswith(".parquet") else ".jsonl"
    assert countries.receipt(second)["locations"]["published"].endswith(ending)


def test_a_compressed_file_is_mended_by_a_compressed_one(countries):
    first = countries.land(f"{PLACE}/all.csv.gz", gzip.compress(FILE))

    assert mend(countries, first, gzip.compress(MENDED)).verdict is Verdict.ACCEPTED


def test_an_older_file_that_is_mended_is_announced_but_not_the_last_good_version(split):
    first = split.land(f"{PLACE}/monday.csv", FILE)
    split.clock.at = split.clock.at.replace(hour=18)
    newer = split.land(f"{PLACE}/tuesday.csv", MENDED)

    second = mend(split, first, MENDED)

    assert second.verdict is Verdict.ACCEPTED
    assert split.events()[-1]["data"]["drop"] == second.drop
    [snapshot] = split.backbone.registry.snapshots(COUNTRIES)
    assert snapshot.drop == newer.drop


GOOD = b"code,name,area\nCH,Switzerland,41285\n"
NO_DROP = "0" * 20 + "-" + "0" * 12


@pytest.mark.parametrize(
    ("folder", "data", "file", "said"),
    [
        (f"mends={NO_DROP}", MENDED, "all.csv", f"has no drop {NO_DROP} that could be mended"),
        ("mends={good}", MENDED, "good.csv", "No row of good.csv ({good}) was rejected"),
        ("mends={bad}", b"{}\n", "all.jsonl", "is not of the format of all.csv, which it mends"),
        ("mends={bad}", b"name,code,area\nGermany,DE,1\n", "all.csv", "The columns are not those"),
        ("mends={gone}", MENDED, "gone.csv", "is no longer in the landing zone as it was judged"),
        ("mends={cut}", MENDED, "cut.csv", "No row of cut.csv ({cut}) was rejected"),
        ("mends=monday", MENDED, "all.csv", "'mends=monday' does not name a drop"),
    ],
)
def test_what_cannot_be_a_correction_is_refused_with_the_reason(
    countries, folder, data, file, said
):
    drops = {
        "good": countries.land(f"{PLACE}/good.csv", GOOD).drop,
        "bad": countries.land(f"{PLACE}/all.csv", FILE).drop,
        "gone": countries.land(f"{PLACE}/gone.csv", FILE).drop,
        "cut": countries.land(f"{PLACE}/cut.csv", b"").drop,
    }
    del countries.storage.blobs[f"landing/{PLACE}/gone.csv"]

    entry = countries.land(f"{PLACE}/{folder.format(**drops)}/{file}", data)

    assert entry.verdict is Verdict.REJECTED
    assert said.format(**drops) in entry.summary


def test_two_corrections_at_the_same_time_and_one_of_them_mends(countries):
    first = countries.land(f"{PLACE}/all.csv", FILE)
    folder = countries.receipt(first)["correction"]["place"].rpartition("/")[0]
    ours, theirs = (
        countries.drop(f"{folder.removeprefix('landing/')}/{name}.csv", MENDED) for name in "ab"
    )
    registry = countries.backbone.registry
    commit, others = registry.commit, []

    def overtaken(change):
        if not others:
            others.append(None)
            others[0] = landing.receive(countries.backbone, theirs)
        commit(change)

    registry.commit = overtaken
    entry = landing.receive(countries.backbone, ours)

    assert (others[0].verdict, entry.verdict) == ("accepted", "rejected")
    assert f"was mended by {others[0].drop} already" in entry.summary
    assert countries.backbone.registry.entry(COUNTRIES, first.drop).mended_by == others[0].drop


def test_a_correction_judged_twice_is_the_same(countries):
    first = countries.land(f"{PLACE}/all.csv", FILE)
    folder = countries.receipt(first)["correction"]["place"].removeprefix("landing/")
    dropped = countries.drop(folder, MENDED)

    once = landing.receive(countries.backbone, dropped)
    events = countries.events()

    assert landing.receive(countries.backbone, dropped).sequence == once.sequence
    assert countries.events() == events

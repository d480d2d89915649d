"""What an accepted file leaves behind: the file, the same rows as Parquet, and a manifest."""

from __future__ import annotations

import hashlib
import io
import json

import pytest
from jsonschema import Draft202012Validator
from pyarrow import parquet

from mesh.schemas import load
from tests.unit.conftest import COUNTRIES, contract, declaration

PLACE = "geography/countries/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\nNA,Namibia,\n"
ROWS = [
    {"code": "CH", "name": "Switzerland", "area": 41285},
    {"code": "NA", "name": "Namibia", "area": None},
]


def published(world):
    return {name: blob for name, blob in world.storage.blobs.items() if name.startswith("publish")}


def table(blob):
    return parquet.read_table(io.BytesIO(blob.data)).to_pylist()


def test_an_accepted_file_is_published_as_it_came_and_as_parquet(countries):
    entry = countries.land(f"{PLACE}/countries.csv", GOOD)

    told = countries.receipt(entry)
    locations, manifest = told["locations"], told["manifest"]
    assert set(published(countries)) == {locations["published"], locations["parquet"]}
    assert countries.storage.blobs[locations["published"]].data == GOOD
    blob = countries.storage.blobs[locations["parquet"]]
    assert blob.content_type == "application/vnd.apache.parquet"
    assert table(blob) == ROWS
    Draft202012Validator(load("manifests/v1")).validate(manifest)
    assert manifest["sha256"] == hashlib.sha256(blob.data).hexdigest()
    assert manifest["byteSize"] == len(blob.data)
    event = countries.events()[-1]
    assert event["data"]["snapshot"] == {
        "location": locations["published"],
        "rows": 2,
        "parquet": locations["parquet"],
        "manifest": f"{entry.receipt}#/manifest",
    }
    assert event["dataref"].endswith(locations["published"])


def test_judging_twice_publishes_the_same(countries):
    first = countries.receipt(countries.land(f"{PLACE}/countries.csv", GOOD))
    again = countries.receipt(countries.land(f"{PLACE}/countries.csv", GOOD))

    assert first["manifest"] == again["manifest"]


def test_nothing_is_published_of_a_rejected_file(countries):
    entry = countries.land(f"{PLACE}/countries.csv", GOOD + b"xx,Nowhere,1\n")

    assert published(countries) == {}
    assert "manifest" not in countries.receipt(entry)


def columns(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


def as_parquet(rows):
    import pyarrow as pa

    out = io.BytesIO()
    parquet.write_table(pa.table(columns(rows)), out)
    return out.getvalue()


def as_avro(rows):
    import fastavro

    kinds = {"code": "string", "name": "string", "area": ["null", "long"]}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    out = io.BytesIO()
    fastavro.writer(out, {"type": "record", "name": "countries", "fields": fields}, rows)
    return out.getvalue()


def as_workbook(rows):
    import openpyxl

    book = openpyxl.Workbook()
    for row in (list(rows[0]), *(list(row.values()) for row in rows)):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


FORMATS = {
    "countries.json": lambda rows: json.dumps(rows).encode(),
    "countries.parquet": as_parquet,
    "countries.avro": as_avro,
    "countries.xlsx": as_workbook,
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_is_no_text_is_kept_byte_for_byte(countries, name):
    data = FORMATS[name](ROWS)

    entry = countries.land(f"{PLACE}/{name}", data)

    locations = countries.receipt(entry)["locations"]
    assert entry.verdict == "accepted"
    assert locations["published"].endswith(f"/{name}")
    assert countries.storage.blobs[locations["published"]].data == data
    assert table(countries.storage.blobs[locations["parquet"]]) == ROWS
    assert len(published(countries)) == 2


@pytest.mark.parametrize("name", FORMATS)
def test_good_rows_of_such_a_file_with_bad_ones_are_lines_or_parquet(world, name):
    split = {
        "customProperties": [
            {"property": "fileAcceptance", "value": {"mode": "split", "maxRejectedShare": 0.5}}
        ]
    }
    world.onboard(declaration(COUNTRIES, contract(more=split)))
    data = FORMATS[name]([*ROWS, {"code": "xx", "name": "Nowhere", "area": 1}])

    entry = world.land(f"{PLACE}/{name}", data)

    locations = world.receipt(entry)["locations"]
    assert entry.verdict == "accepted"
    if name.endswith(".parquet"):
        assert locations["published"] == locations["parquet"]
    else:
        lines = world.storage.blobs[locations["published"]].data.splitlines()
        assert [row["code"] for row in map(json.loads, lines)] == ["CH", "NA"]
    assert locations["rejects"].endswith(f"/{name}")
    again = world.land(f"{PLACE}/again-{name}", world.storage.blobs[locations["rejects"]].data)
    assert (again.rows, again.rejected) == (1, 1)
    assert table(world.storage.blobs[locations["parquet"]]) == ROWS
    assert set(published(world)) == {locations["published"], locations["parquet"]}

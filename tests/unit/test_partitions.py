"""Published Parquet in Hive-style folders, when the contract parts its data."""

from __future__ import annotations

import hashlib
import io
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pyarrow import dataset, parquet

from mesh.model.contract_check import check_contract
from mesh.model.record import Verdict
from mesh.schemas import load
from mesh.validation import partitions
from mesh.validation.partitions import NULL, folder_name, write_parts
from tests.thorough import examples
from tests.unit.conftest import COUNTRIES, World, contract, declaration

PLACE = "geography/countries/v1/countries"
FILE = (
    b"code,name,area,continent,day\n"
    b"CH,Switzerland,1,Europe,2026-11-30\n"
    b"NA,Namibia,2,Africa,2026-11-30\n"
    b"AT,Austria,3,Europe,2026-12-01\n"
    b"AQ,Antarctica,4,,2026-12-01\n"
)


def parted(*, split=False, first="day", **more):
    document = contract(more=more)
    properties = document["schema"][0]["properties"]
    kinds = {"continent": "string", "day": "date"}
    properties += [
        {
            "name": name,
            "logicalType": kind,
            "partitioned": True,
            "partitionKeyPosition": 1 if name == first else 2,
        }
        for name, kind in kinds.items()
    ]
    if split:
        value = {"mode": "split", "maxRejectedShare": 0.9}
        document["customProperties"] = [{"property": "fileAcceptance", "value": value}]
    return document


@pytest.fixture
def world():
    world = World()
    saga = world.onboard(declaration(COUNTRIES, parted()))
    assert saga.status == "registered", saga.findings
    return world


def test_an_accepted_file_is_parted_as_the_contract_says(world):
    entry = world.land(f"{PLACE}/all.csv", FILE)

    told = world.receipt(entry)
    manifest, folder = told["manifest"], told["locations"]["parquet"]
    Draft202012Validator(load("manifests/v1")).validate(manifest)
    assert [(part["path"], part["rows"]) for part in manifest["parts"]] == [
        ("day=2026-11-30/continent=Africa/part-0.parquet", 1),
        ("day=2026-11-30/continent=Europe/part-0.parquet", 1),
        ("day=2026-12-01/continent=Europe/part-0.parquet", 1),
        (f"day=2026-12-01/continent={NULL}/part-0.parquet", 1),
    ]
    assert manifest["parts"][3]["values"] == {"day": "2026-12-01", "continent": None}
    lines = ""
    for part in manifest["parts"]:
        blob = world.storage.blobs[f"{folder}/{part['path']}"]
        assert (len(blob.data), hashlib.sha256(blob.data).hexdigest()) == (
            part["byteSize"],
            part["sha256"],
        )
        lines += f"{part['sha256']}  {part['path']}\n"
    assert manifest["sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert manifest["rows"] == 4
    snapshot = world.events()[-1]["data"]["snapshot"]
    assert (snapshot["parquet"], snapshot["rows"]) == (folder, 4)
    [kept] = world.backbone.registry.snapshots(COUNTRIES)
    assert kept.parts == tuple(f"{folder}/{part['path']}" for part in manifest["parts"])


def test_a_reader_of_hive_style_folders_reads_all_rows_back(world, tmp_path):
    folder = world.receipt(world.land(f"{PLACE}/all.csv", FILE))["locations"]["parquet"]
    for name, blob in world.storage.blobs.items():
        if name.startswith(f"{folder}/"):
            file = tmp_path / name.removeprefix(f"{folder}/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(blob.data)

    rows = dataset.dataset(tmp_path, partitioning="hive").to_table().sort_by("area").to_pylist()

    assert [row["continent"] for row in rows] == ["Europe", "Africa", "Europe", None]
    assert [str(row["day"]) for row in rows] == ["2026-11-30"] * 2 + ["2026-12-01"] * 2
    assert [row["code"] for row in rows] == ["CH", "NA", "AT", "AQ"]


def test_a_file_without_rows_has_one_part_with_the_columns(world):
    told = world.receipt(world.land(f"{PLACE}/all.csv", FILE.partition(b"\n")[0] + b"\n"))

    [part] = told["manifest"]["parts"]
    assert (part["path"], part["rows"], part["values"]) == ("part-0.parquet", 0, {})
    blob = world.storage.blobs[f"{told['locations']['parquet']}/part-0.parquet"]
    assert parquet.read_schema(io.BytesIO(blob.data)).names == ["code", "name", "area"]


def test_nothing_is_published_of_a_rejected_file(world):
    world.land(f"{PLACE}/all.csv", FILE.replace(b"CH", b"ch"))

    assert not [name for name in world.storage.blobs if name.startswith("published")]


def many(count):
    rows = "".join(f"AA,x,1,c{number},2026-11-30\n" for number in range(count))
    return ("code,name,area,continent,day\n" + rows).encode()


def without_key(document):
    for item in document["schema"][0]["properties"]:
        item.pop("primaryKey", None)
        item.pop("primaryKeyPosition", None)
    return document


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (many(partitions.MOST + 1), "holds more than 256 partitions by continent, day"),
        (many(1).replace(b"c0", b"c" * 300), "A value of continent is too long for the name of a"),
    ],
)
def test_what_would_make_too_many_or_too_long_folders_is_rejected(data, said):
    world = World()
    document = without_key(parted(first="continent", split=True))
    saga = world.onboard(declaration(COUNTRIES, document))
    assert saga.status == "registered", saga.findings

    entry = world.land(f"{PLACE}/all.csv", data)

    assert entry.verdict is Verdict.REJECTED
    assert said in entry.summary
    assert world.receipt(entry)["problems"][0]["rule"] == "partitions"
    assert world.backbone.registry.snapshots(COUNTRIES) == []


def test_as_many_partitions_as_may_be_are_written_a_few_at_a_time():
    world = World()
    world.onboard(declaration(COUNTRIES, without_key(parted(first="continent"))))

    told = world.receipt(world.land(f"{PLACE}/all.csv", many(partitions.MOST)))

    assert [part["rows"] for part in told["manifest"]["parts"]] == [1] * partitions.MOST


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a/b", "k=a%2Fb"),
        ("..", "k=.%2E"),
        ("50%=x y", "k=50%25%3Dx%20y"),
        ("é", "k=é"),
        (NULL, f"k=%5F{NULL[1:]}"),
        (None, f"k={NULL}"),
        ("", f"k={NULL}"),
        ("\n", "k=%0A"),
    ],
)
def test_names_of_folders_are_escaped(value, name):
    assert folder_name("k", value) == name


class Blob(io.BytesIO):
    """What `write_parts` writes to."""

    def commit(self) -> None:
        self.done = True


VALUES = st.one_of(st.none(), st.text(max_size=4), st.dates().map(date.isoformat))


@settings(max_examples=examples(50))
@given(values=st.lists(VALUES, max_size=30))
def test_each_row_is_in_the_part_of_its_value(values):
    import pyarrow as pa

    file = io.BytesIO()
    number = list(range(len(values)))
    table = pa.table({"k": pa.array(values, pa.string()), "n": pa.array(number, pa.int64())})
    parquet.write_table(table, file, row_group_size=4)
    blobs: dict[str, Blob] = {}

    parts = write_parts(file, ["k"], lambda path: blobs.setdefault(path, Blob()))

    found = {}
    for part in parts:
        assert blobs[part.path].done
        rows = parquet.read_table(io.BytesIO(blobs[part.path].getvalue()))
        assert rows.column_names == ["n"]
        assert part.rows == rows.num_rows
        found.update(dict.fromkeys(rows["n"].to_pylist(), part.values.get("k")))
    assert found == {n: value or None for n, value in enumerate(values)}


@pytest.mark.parametrize(
    ("change", "path", "said"),
    [
        ({"logicalType": "number"}, "/schema/0/properties/3/partitioned", "parted by number"),
        ({"classification": "secret"}, "/schema/0/properties/3/partitioned", "for all to see"),
        ({"partitionKeyPosition": 1}, "/schema/0", "the same partitionKeyPosition"),
    ],
)
def test_onboarding_refuses_what_cannot_be_parted(change, path, said):
    document = parted()
    document["schema"][0]["properties"][3] |= change

    found = [one for one in check_contract(document, file="c") if one.rule == "contract.partition"]

    assert [one.path for one in found] == [path]
    assert said in found[0].message


def test_onboarding_refuses_sets_in_parts_and_parts_without_fields():
    document = parted(customProperties=[{"property": "fileSet", "value": {"count": 2}}])
    del document["schema"][0]["properties"][:3]

    found = [one for one in check_contract(document, file="c") if one.rule == "contract.partition"]

    assert {one.message for one in found} == {
        "Every field is a folder's, and no field is left for the files.",
        "An object that is delivered in sets of files cannot be parted as well.",
    }


def test_a_rule_in_sql_sees_all_columns_before_they_are_parted():
    document = parted()
    query = "SELECT COUNT(*) FROM {object} WHERE continent = 'Asia'"
    document["schema"][0]["quality"] = [{"type": "sql", "query": query, "mustBe": 0}]
    world = World()
    saga = world.onboard(declaration(COUNTRIES, document))
    assert saga.status == "registered", saga.findings

    good = world.land(f"{PLACE}/all.csv", FILE)
    bad = world.land(f"{PLACE}/all.csv", FILE.replace(b"Africa", b"Asia"))

    assert (good.verdict, bad.verdict) == ("accepted", "rejected")
    assert len(world.receipt(good)["manifest"]["parts"]) == 4

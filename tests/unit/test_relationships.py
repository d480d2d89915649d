"""A file's foreign keys are checked against what the other product last published."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from cli.main import app
from mesh import approvals, onboarding
from mesh.model.names import ProductId
from mesh.model.record import Verdict
from mesh.schemas import load
from tests.unit.conftest import OPS

COUNTRIES = ProductId(domain="geography", product="countries")
PORTS = ProductId(domain="shipping", product="ports")
PLACE = "geography/countries/v1/countries"
HARBOURS = "shipping/ports/v1/ports"
LIST = b"code,name,area\nCH,Switzerland,41285\nNA,Namibia,\n"
FILE = "../../geography/countries/countries.odcs.yaml#/schema/countries/properties/code"
GOOD = "locode,country\nCHBSL,CH\nNAWVB,NA\nZZXXX,\n"
SPLIT = {"mode": "split", "maxRejectedShare": 1}


def referring(
    to: Any = FILE,
    *,
    check: Mapping[str, Any] | None = None,
    acceptance: Mapping[str, Any] | None = None,
    country: Mapping[str, Any] | None = None,
    level: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A contract of ports, whose country points at the product `geography/countries`."""
    about = [{"property": "referenceCheck", "value": check}] if check else []
    entry = {"to": to} | ({"customProperties": about} if about else {})
    own = {} if level else {"relationships": [entry]}
    shares = [{"property": "fileAcceptance", "value": acceptance}] if acceptance else []
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "urn:mesh:shipping:ports:ports",
        "version": "1.0.0",
        "status": "active",
        "domain": "shipping",
        "dataProduct": "ports",
        "customProperties": shares,
        "schema": [
            {
                "name": "ports",
                "relationships": [] if level is None else [level],
                "properties": [
                    {"name": "locode", "logicalType": "string", "primaryKey": True},
                    {"name": "country", "logicalType": "string"} | own | (country or {}),
                ],
            }
        ],
    }


@pytest.fixture
def ports(countries, declare):
    """The mesh with countries, and a way to onboard ports."""

    def onboard(document=None, product=PORTS):
        files = declare(product, document or referring(), ports=((product.product, "1.0.0"),))
        return countries.onboard(files)

    return onboard


def land(world, data, place=HARBOURS, name="all.csv"):
    entry = world.land(f"{place}/{name}", data.encode() if isinstance(data, str) else data)
    told = json.loads(world.storage.blobs[entry.receipt].data)
    Draft202012Validator(load("receipts/v1")).validate(told)
    return entry, told


class TestLanding:
    @pytest.fixture
    def world(self, countries, ports):
        saga = ports()
        assert saga.status == "registered", saga.findings
        return countries

    def test_records_that_point_at_published_ones_pass(self, world):
        listed = world.land(f"{PLACE}/all.csv", LIST)

        entry, told = land(world, GOOD)

        assert entry.verdict is Verdict.ACCEPTED
        assert told["warnings"] == []
        assert told["references"] == [
            {
                "path": "/schema/0/properties/1/relationships/0",
                "fields": ["country"],
                "product": "geography/countries",
                "contract": "countries:1.0.0",
                "object": "countries",
                "properties": ["code"],
                "drop": listed.drop,
                "sequence": listed.sequence,
                "unknown": 0,
            }
        ]
        [snapshot] = world.backbone.registry.snapshots(PORTS)
        [version] = snapshot.references
        assert (version.product, version.sequence) == ("geography/countries", listed.sequence)

    def test_each_orphan_is_named(self, world):
        world.land(f"{PLACE}/all.csv", LIST)

        entry, told = land(world, "locode,country\nCHBSL,CH\nFRMRS,FR\nDEHAM,DE\nbad,CH,\n")

        assert entry.verdict is Verdict.REJECTED
        assert entry.rejected == 3
        first, second, third = told["violations"]
        assert (first["row"], first["field"], first["rule"], first["value"]) == (
            2, "country", "relationship", "FR",
        )  # fmt: skip
        assert first["path"] == "/schema/0/properties/1/relationships/0"
        assert first["message"] == (
            "country must point at a record of geography/countries countries (code), sequence 3; "
            "'FR' is not there."
        )
        assert (second["row"], second["value"]) == (3, "DE")
        assert third["rule"] == "cells"
        assert told["counts"]["byRule"] == {"relationship": 2, "cells": 1}
        assert told["references"][0]["unknown"] == 2

    def test_it_is_the_last_good_version_that_counts(self, world):
        world.land(f"{PLACE}/all.csv", LIST)
        assert land(world, "locode,country\nFRMRS,FR\n", name="1.csv")[0].rejected == 1
        world.land(f"{PLACE}/bad.csv", b"code,name\nfr,France\n")
        assert land(world, "locode,country\nFRMRS,FR\n", name="2.csv")[0].rejected == 1

        newer = world.land(f"{PLACE}/all.csv", b"code,name\nFR,France\n")
        entry, told = land(world, "locode,country\nFRMRS,FR\n", name="3.csv")

        assert entry.verdict is Verdict.ACCEPTED
        assert told["references"][0]["sequence"] == newer.sequence

    def test_without_published_data_the_file_is_refused_and_stays_in_the_landing_zone(self, world):
        entry, told = land(world, GOOD)

        assert entry.verdict is Verdict.REJECTED
        [problem] = told["problems"]
        assert problem["rule"] == "reference"
        assert problem["message"] == (
            "country must point at records of geography/countries countries, of which nothing is "
            "published yet: the file cannot be checked."
        )
        assert "Drop it again once that is published" in problem["remedy"]
        assert world.storage.blobs[f"landing/{HARBOURS}/all.csv"].data == GOOD.encode()

        world.land(f"{PLACE}/all.csv", LIST)
        assert land(world, GOOD)[0].verdict is Verdict.ACCEPTED

    def test_two_workers_that_check_against_other_versions_write_to_other_places(self, world):
        """The late one must not take the place of what the other one announced."""
        world.land(f"{PLACE}/all.csv", LIST)
        dropped = world.drop(f"{HARBOURS}/all.csv", b"locode,country\nCHBSL,CH\n")
        from mesh.judging import judge
        from mesh.model.dropped_file import place_of

        product = world.backbone.registry.head(PORTS).product
        place = place_of(dropped.blob)
        first = judge(world.backbone, dropped, place, product.output_ports[0])
        again = judge(world.backbone, dropped, place, product.output_ports[0])
        world.land(f"{PLACE}/all.csv", LIST + b"FR,France,\n")
        second = judge(world.backbone, dropped, place, product.output_ports[0])

        assert first.published == again.published
        assert first.published != second.published

    def test_published_data_without_the_field_is_nothing_to_point_at(self, world):
        """The field may have come with a later version of the contract than the data."""
        import pyarrow as pa
        from pyarrow import parquet

        world.land(f"{PLACE}/all.csv", LIST)
        [snapshot] = world.backbone.registry.snapshots(COUNTRIES)
        older = BytesIO()
        parquet.write_table(pa.table({"name": ["Switzerland"]}), older)
        world.storage.write(snapshot.parquet, older.getvalue(), content_type="x/y")

        entry, told = land(world, GOOD)

        assert entry.verdict is Verdict.REJECTED
        assert told["problems"][0]["message"] == (
            "country must point at records of geography/countries countries, whose published data "
            "lacks these fields, or is larger than can be read here: the file cannot be checked."
        )


def test_a_relationship_may_only_warn(countries, ports):
    assert ports(referring(check={"severity": "warning"})).status == "registered"
    countries.land(f"{PLACE}/all.csv", LIST)

    entry, told = land(countries, "locode,country\nCHBSL,CH\nFRMRS,FR\nDEHAM,DE\n")

    assert entry.verdict is Verdict.ACCEPTED
    assert (entry.rejected, told["violations"]) == (0, [])
    [warning] = told["warnings"]
    assert warning["message"] == (
        "country: 2 records point at nothing in geography/countries countries (code), sequence 3; "
        "the first is row 2."
    )
    assert told["references"][0]["unknown"] == 2


def test_a_contract_may_take_files_before_anything_is_published(countries, ports):
    assert ports(referring(check={"whenUnpublished": "accept"})).status == "registered"

    entry, told = land(countries, GOOD)

    assert entry.verdict is Verdict.ACCEPTED
    [warning] = told["warnings"]
    assert warning["message"] == (
        "The relationship of country to geography/countries countries (code) was not checked: "
        "there was nothing to check it against."
    )
    assert "references" not in told


def test_good_rows_are_published_without_the_orphans(countries, ports):
    assert ports(referring(acceptance=SPLIT)).status == "registered"
    countries.land(f"{PLACE}/all.csv", LIST)

    entry, told = land(countries, "locode,country\nCHBSL,CH\nFRMRS,FR\nNAWVB,NA\n")

    assert (entry.verdict, entry.accepted, entry.rejected) == (Verdict.ACCEPTED, 2, 1)
    blobs = countries.storage.blobs
    assert blobs[told["locations"]["published"]].data == b"locode,country\nCHBSL,CH\nNAWVB,NA\n"
    assert blobs[told["locations"]["rejects"]].data == b"locode,country\nFRMRS,FR\n"
    assert parquet(blobs[told["locations"]["parquet"]].data).to_pydict() == {
        "locode": ["CHBSL", "NAWVB"],
        "country": ["CH", "NA"],
    }


def parquet(data: bytes) -> Any:
    from pyarrow import parquet

    return parquet.read_table(BytesIO(data))


def in_format(name: str, rows: list[dict[str, Any]]) -> bytes:
    """The rows as a file of this format."""
    import pyarrow as pa
    from pyarrow import parquet

    to = BytesIO()
    if name == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    if name == "json":
        return json.dumps(rows).encode()
    if name == "csv":
        lines = [",".join(rows[0]), *(",".join(v or "" for v in row.values()) for row in rows)]
        return "\n".join(lines).encode()
    if name == "parquet":
        parquet.write_table(pa.Table.from_pylist(rows), to)
    elif name == "avro":
        import fastavro

        fields = [{"name": n, "type": ["null", "string"]} for n in rows[0]]
        fastavro.writer(to, {"type": "record", "name": "r", "fields": fields}, rows)
    else:
        import openpyxl

        book = openpyxl.Workbook()
        for row in [list(rows[0]), *(list(row.values()) for row in rows)]:
            book.active.append(row)
        book.save(to)
    return to.getvalue()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "parquet", "avro", "xlsx"])
def test_every_format_is_checked(countries, ports, kind):
    assert ports(referring(acceptance=SPLIT)).status == "registered"
    countries.land(f"{PLACE}/all.csv", LIST)
    lands = ["CH", "FR", None, "NA", "CH", "DE", "CH"]
    rows = [{"locode": f"P{at}", "country": country} for at, country in enumerate(lands, start=1)]

    entry, told = land(countries, in_format(kind, rows), name=f"all.{kind}")

    assert entry.verdict is Verdict.ACCEPTED
    assert {v["row"]: (v["value"], v["rule"]) for v in told["violations"]} == {
        2: ("FR", "relationship"),
        6: ("DE", "relationship"),
    }


# -- Keys of other kinds ---------------------------------------------------------------------------


def pair(target_fields, own_fields, *, primary, level=None, **more):
    """Two contracts: one of sheets, whose key has these fields, and one that points at it."""
    sheets = ProductId(domain="geography", product="sheets")
    target = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "urn:mesh:geography:sheets:sheets",
        "version": "1.0.0",
        "status": "active",
        "domain": "geography",
        "dataProduct": "sheets",
        "schema": [
            {
                "id": "sheets_tbl",
                "name": "sheets",
                "properties": [
                    {"name": name, "id": f"{name}_id", "primaryKey": name in primary} | field
                    for name, field in target_fields.items()
                ],
            }
        ],
    }
    own = copy.deepcopy(target) | {
        "id": "urn:mesh:shipping:ports:ports",
        "domain": "shipping",
        "dataProduct": "ports",
    }
    own["schema"] = [
        {
            "name": "ports",
            "properties": [{"name": name} | field for name, field in own_fields.items()],
        }
        | ({"relationships": [level]} if level else {})
    ]
    return sheets, target, own | more


def onboard_pair(world, declare, sheets, target, own):
    saga = world.onboard(declare(sheets, target, ports=(("sheets", "1.0.0"),)))
    assert saga.status == "registered", saga.findings
    return world.onboard(declare(PORTS, own, ports=(("ports", "1.0.0"),)))


def test_composite_keys_by_ids(world, declare):
    folder = "../../geography/sheets/sheets.odcs.yaml#/schema/sheets_tbl/properties"
    text, number = {"logicalType": "string"}, {"logicalType": "integer"}
    saga = onboard_pair(
        world,
        declare,
        *pair(
            {"grid": text, "number": number},
            {"n": number, "g": text | {"physicalName": "Grid"}},
            primary={"grid", "number"},
            level={
                "from": ["ports.g", "ports.n"],
                "to": [f"{folder}/grid_id", f"{folder}/number_id"],
            },
        ),
    )
    assert saga.status == "registered", saga.findings
    world.land("geography/sheets/v1/sheets/a.csv", b"grid,number\nA,1\nA,2\nB,1\n")

    _, told = land(world, "n,Grid\n1,A\n2.0,A\n2,B\n,B\n2,\n3,A\n")

    assert {v["row"]: (v["field"], v["value"]) for v in told["violations"]} == {
        3: ("Grid, n", "B, 2"),
        6: ("Grid, n", "A, 3"),
    }
    assert told["references"][0]["properties"] == ["grid", "number"]


@pytest.mark.parametrize(
    ("field", "published", "own", "known", "orphan"),
    [
        ({"logicalType": "date"}, "2026-01-31", {}, ["2026-01-31"], "2026-02-01"),
        (
            {"logicalType": "date"},
            "2026-01-31",
            {"logicalTypeOptions": {"format": "dd/MM/yyyy"}},
            ["31/01/2026"],
            "01/02/2026",
        ),
        (
            {"logicalType": "timestamp"},
            "2026-01-31T12:00:00Z",
            {},
            ["2026-01-31T13:00:00.000+01:00", "2026-01-31t12:00:00z"],
            "2026-01-31T12:00:00.001Z",
        ),
        ({"logicalType": "time"}, "12:30:00", {}, ["12:30:00.0"], "12:30:01"),
        (
            {"logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.01}},
            "19.90",
            {},
            ["19.9", "1.99e1"],
            "19.91",
        ),
        ({"logicalType": "number"}, "0.1", {}, ["0.10", "1e-1"], "0.2"),
        ({"logicalType": "integer"}, "12345678901234567890123", {},
         ["12345678901234567890123"], "12345678901234567890124"),
        ({"logicalType": "integer"}, "9" * 80, {}, ["9" * 80], "9" * 79),
        ({"logicalType": "number"}, "0.123456789012345678901234567891", {},
         ["0.123456789012345678901234567891"], "0.12345678901234"),
        ({"logicalType": "number"}, "1e400", {}, ["1E+400", "10e399"], "1E+401"),
        ({"logicalType": "boolean"}, "true", {}, ["true"], "false"),
    ],
)  # fmt: skip
def test_equal_values_are_equal_however_they_are_written(
    world, declare, field, published, own, known, orphan
):
    to = "../../geography/sheets/sheets.odcs.yaml#/schema/sheets/properties/key"
    saga = onboard_pair(
        world,
        declare,
        *pair(
            {"key": field},
            {"key": field | own | {"relationships": [{"to": to}]}, "n": {"logicalType": "integer"}},
            primary={"key"},
        ),
    )
    assert saga.status == "registered", saga.findings
    world.land("geography/sheets/v1/sheets/a.csv", f"key\n{published}\n".encode())

    lines = "".join(f"{value},1\n" for value in [*known, orphan])
    _, told = land(world, f"key,n\n{lines}")

    assert [(v["row"], v["value"]) for v in told["violations"]] == [(len(known) + 1, orphan)]


def test_an_object_may_point_at_another_one_of_its_own_contract(world, declare):
    _, _, own = pair({"key": {"logicalType": "string"}}, {}, primary={"key"})
    own["schema"] = [
        {
            "name": "ports",
            "properties": [{"name": "code", "logicalType": "string", "unique": True}],
        },
        {
            "name": "berths",
            "properties": [
                {"name": "port", "logicalType": "string", "relationships": [{"to": "ports.code"}]}
            ],
        },
    ]
    saga = world.onboard(declare(PORTS, own, ports=(("ports", "1.0.0"),)))
    assert saga.status == "registered", saga.findings
    listed = world.land(f"{HARBOURS}/a.csv", b"code\nCHBSL\n")

    _, told = land(world, "port\nCHBSL\nFRMRS\n", place="shipping/ports/v1/berths")

    assert [v["value"] for v in told["violations"]] == ["FRMRS"]
    assert told["references"][0]["sequence"] == listed.sequence


def test_an_object_may_point_at_itself(world, declare):
    document = referring("ports.locode", acceptance=SPLIT)
    saga = world.onboard(declare(PORTS, document, ports=(("ports", "1.0.0"),)))
    assert saga.status == "registered", saga.findings

    entry, told = land(world, "locode,country\nA,B\nB,\nC,D\nD,A\nE,X\n")

    assert entry.verdict is Verdict.ACCEPTED
    assert [(v["row"], v["value"]) for v in told["violations"]] == [(5, "X")]
    assert "in the file itself" in told["violations"][0]["message"]
    assert (told["references"][0]["sequence"], told["references"][0]["drop"]) == (0, entry.drop)


def test_a_file_that_cannot_be_read_is_refused_for_that(world, declare):
    saga = world.onboard(declare(PORTS, referring("ports.locode"), ports=(("ports", "1.0.0"),)))
    assert saga.status == "registered", saga.findings

    _, told = land(world, "locode\tcountry\nA\tB\n")

    assert [problem["rule"] for problem in told["problems"]] == ["separator"]


# -- Offline ---------------------------------------------------------------------------------------


@pytest.fixture
def check(tmp_path):
    """`mesh check` of a file of ports, in a folder beside that of `geography/countries`."""

    def run(data, *arguments, document=None, name="ports.csv"):
        own = tmp_path / "shipping" / "ports"
        own.mkdir(parents=True, exist_ok=True)
        (own / "ports.odcs.json").write_text(json.dumps(document or referring()))
        (own / name).write_text(data)
        files = {"countries.csv": LIST.decode(), "c.jsonl": '{"code": "FR"}\n'}
        for file, text in (files | {"other.jsonl": '{"kode": "FR"}\n'}).items():
            (tmp_path / file).write_text(text)
        contract = ["--contract", str(own / "ports.odcs.json")]
        words = [word.replace("=", f"={tmp_path}/") for word in arguments]
        return CliRunner(env={"COLUMNS": "200"}).invoke(
            app, ["check", str(own / name), *contract, *words, "--json"], catch_exceptions=False
        )

    return run


def told(done):
    receipt = json.loads(done.stdout)
    Draft202012Validator(load("receipts/v1")).validate(receipt)
    return receipt


FRENCH = "locode,country\nCHBSL,CH\nFRMRS,FR\n"


@pytest.mark.parametrize(("file", "orphan"), [("countries.csv", (2, "FR")), ("c.jsonl", (1, "CH"))])
@pytest.mark.parametrize("address", ["geography/countries", "geography/countries/countries"])
def test_a_check_is_given_what_is_pointed_at(check, address, file, orphan):
    done = check(FRENCH, "--with", f"{address}={file}")

    assert done.exit_code == 1
    [violation] = told(done)["violations"]
    assert (violation["row"], violation["value"]) == orphan
    assert f"(code), in {file}; '{orphan[1]}' is not there." in violation["message"]
    assert told(done)["references"] == [
        {
            "path": "/schema/0/properties/1/relationships/0",
            "fields": ["country"],
            "product": "geography/countries",
            "object": "countries",
            "properties": ["code"],
            "file": file,
            "unknown": 1,
        }
    ]


def test_a_check_says_what_it_did_not_check(check):
    done = check(FRENCH)

    assert done.exit_code == 0
    [warning] = told(done)["warnings"]
    assert "was not checked: there was nothing to check it against" in warning["message"]


def test_data_is_read_by_the_contract_that_the_reference_leads_to(check, tmp_path, contract_of):
    """That contract alone knows that the column is called otherwise, and how it is separated."""
    document = contract_of()
    field = document["schema"][0]["properties"][0]
    field |= {"physicalName": "ISO", "id": "code"}
    document["customProperties"] = [{"property": "fileDialect", "value": {"separator": ";"}}]
    (tmp_path / "geography" / "countries").mkdir(parents=True)
    path = tmp_path / "geography" / "countries" / "countries.odcs.yaml"
    path.write_text(json.dumps(document))
    (tmp_path / "own.csv").write_text("ISO;name\nFR;France\n")

    done = check(FRENCH, "--with", "geography/countries=own.csv")

    assert [v["value"] for v in told(done)["violations"]] == ["CH"]


def test_a_check_reads_a_file_twice_that_points_at_itself(check):
    done = check("locode,country\nA,B\nB,X\n", document=referring("ports.locode"))

    assert [v["value"] for v in told(done)["violations"]] == ["X"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("countries=countries.csv", "is not of the form DOMAIN/PRODUCT[/OBJECT]=FILE"),
        ("geography/countries=no.csv", "no.csv' of --with does not exist"),
        ("geography/lands=countries.csv", "No relationship of ports points at geography/lands."),
        (
            "geography/countries/lands=countries.csv",
            "No relationship of ports points at geography/countries/lands.",
        ),
        (
            "geography/countries=shipping/ports/ports.csv",
            "ports.csv cannot be what geography/countries has published: The first line names none",
        ),
        (
            "geography/countries=other.jsonl",
            "other.jsonl cannot be what geography/countries has published: no good record",
        ),
        (
            "geography/countries=shipping/ports/ports.odcs.json",
            "ports.odcs.json cannot be what geography/countries has published: ",
        ),
    ],
)
def test_what_cannot_be_pointed_at_ends_the_check(check, given, message):
    done = check(FRENCH, "--with", given)

    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())


# -- Onboarding ------------------------------------------------------------------------------------

OTHER = "../../geography/countries/countries.odcs.yaml#/schema"


@pytest.mark.parametrize(
    ("to", "more", "message"),
    [
        (
            "../../geography/rivers/r.odcs.yaml#/schema/rivers/properties/code",
            {},
            "The relationship points at geography/rivers, which is not onboarded.",
        ),
        (
            f"{OTHER}/countries/properties/kode",
            {},
            "geography/countries has no countries (kode); it has published countries:1.0.0.",
        ),
        (
            f"{OTHER}/lands/properties/code",
            {},
            "geography/countries has no lands (code); it has published countries:1.0.0.",
        ),
        (
            FILE,
            {"check": {"major": 2}},
            "geography/countries has no countries (code); it has published countries:1.0.0.",
        ),
        (
            f"{OTHER}/countries/properties/name",
            {},
            "name of countries is neither its primary key nor unique: it identifies no record.",
        ),
        (
            FILE,
            {"country": {"logicalType": "integer"}},
            "country is of type integer, code of countries of type string: no values are equal.",
        ),
        (
            "countries.odcs.yaml#/schema/countries/properties/code",
            {},
            "No contract of shipping/ports has countries (code).",
        ),
        (
            "Countries/Of/The/World.yaml#/schema/countries/properties/code",
            {},
            "'Of/The' is no product's address, DOMAIN/PRODUCT.",
        ),
    ],
)
def test_what_is_pointed_at_must_be_there_and_identify_a_record(ports, to, more, message):
    saga = ports(referring(to, **more))

    assert saga.status == "refused"
    [finding] = saga.findings
    assert finding.message == message
    assert (finding.rule, finding.path) == (
        "contract.relationship",
        "/schema/0/properties/1/relationships/0",
    )
    assert finding.remedy


def test_what_stands_in_names_of_folders_cannot_be_pointed_at(world, declare):
    text = {"logicalType": "string"}
    to = "../../geography/sheets/sheets.odcs.yaml#/schema/sheets/properties/key"
    parted = text | {"partitioned": True, "partitionKeyPosition": 1, "required": True}

    saga = onboard_pair(
        world,
        declare,
        *pair(
            {"key": parted, "n": text},
            {"key": text | {"relationships": [{"to": to}]}},
            primary={"key"},
        ),
    )

    assert [finding.message for finding in saga.findings] == [
        "sheets is published in folders by key: its files do not hold it."
    ]


@pytest.mark.parametrize(("label", "status"), [("Restricted", "waiting"), ("public", "registered")])
def test_who_points_at_what_is_restricted_needs_approval(world, declare, label, status):
    """Rejects tell which values are there."""
    text = {"logicalType": "string"}
    to = "../../geography/sheets/sheets.odcs.yaml#/schema/sheets/properties/key"
    sheets, target, own = pair(
        {"key": text | {"classification": label}},
        {"key": text | {"relationships": [{"to": to}]}},
        primary={"key"},
    )
    listed = world.onboard(declare(sheets, target, ports=(("sheets", "1.0.0"),)))
    if listed.status == "waiting":
        approvals.approve(world.backbone, listed.id, approver="owner", reason="mine", caller=OPS)
        for message in world.queues.take(onboarding.QUEUE):
            onboarding.handle(world.backbone, message.body)
        while messages := world.queues.take(onboarding.QUEUE):
            for message in messages:
                onboarding.handle(world.backbone, message.body)

    saga = world.onboard(declare(PORTS, own, ports=(("ports", "1.0.0"),)))

    assert saga.status == status, saga.findings


@pytest.mark.parametrize(
    "to",
    [
        FILE,
        "https://contracts.example.com/geography/countries/v1.yaml#/schema/countries/properties/code",
        "geography/../../../geography/countries/c.yaml#schema/countries/properties/code",
    ],
)
def test_the_folder_of_a_contract_is_its_product(ports, to):
    assert ports(referring(to)).findings == ()


def test_a_product_may_be_named_beside_a_short_reference(ports):
    saga = ports(referring("countries.code", check={"product": "geography/countries", "major": 1}))

    assert saga.findings == ()

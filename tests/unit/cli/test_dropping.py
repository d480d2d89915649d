"""`mesh drop`: what can be wrong with a drop, and where a file goes."""

from __future__ import annotations

import json
import socket

import pytest

from cli.dropping import landing_path
from cli.failures import Failed
from mesh.model.names import ProductId

PRODUCT = "geography/countries"
COUNTRIES = ProductId(domain="geography", product="countries")


def page(*ports):
    """A product with output ports, each a version and the names of its objects."""
    return {
        "product": PRODUCT,
        "output_ports": [{"version": version, "objects": objects} for version, *objects in ports],
    }


@pytest.mark.parametrize(
    ("ports", "chosen", "expected"),
    [
        ([("1.0.0", "a")], {}, "v1/a/f.csv"),
        ([("1.4.0", "a"), ("2.0.1", "a"), ("10.0.0", "a")], {}, "v10/a/f.csv"),
        ([("1.4.0", "a"), ("2.0.1", "a")], {"major": 1}, "v1/a/f.csv"),
        ([("1.0.0", "a", "b"), ("2.0.0", "a")], {"object_name": "b"}, "v1/b/f.csv"),
        ([("1.0.0", "a", "b"), ("2.0.0", "a")], {"major": 2}, "v2/a/f.csv"),
        ([("1.0.0", "a")], {"period": "2026-01-31"}, "v1/a/rundate=2026-01-31/f.csv"),
    ],
)
def test_where_a_file_goes(ports, chosen, expected):
    assert landing_path(page(*ports), "f.csv", **chosen) == f"{PRODUCT}/{expected}"


@pytest.mark.parametrize(
    ("ports", "chosen", "says"),
    [
        (
            [("1.0.0", "a", "b")],
            {},
            f"{PRODUCT} has several objects; choose with --object: a (major 1), b (major 1).",
        ),
        (
            [("1.0.0", "a")],
            {"object_name": "c"},
            f"{PRODUCT} has no such object or major version. It has a (major 1).",
        ),
        ([("1.0.0", "a")], {"major": 3}, "no such object or major version"),
        ([], {}, f"{PRODUCT} has no output port that files could be dropped for."),
        ([("1.0.0", "a")], {"period": "2026/01"}, "'2026/01' cannot be a period"),
        ([("1.0.0", "a")], {"period": ""}, "'' cannot be a period"),
        ([("1.0.0", "a")], {"period": "\n"}, "has an empty part, '.', '..', or a forbidden char"),
    ],
)
def test_a_file_that_can_go_nowhere(ports, chosen, says):
    with pytest.raises(Failed) as failed:
        landing_path(page(*ports), "f.csv", **chosen)

    assert says in str(failed.value)
    assert failed.value.code == 2


def test_a_name_that_cannot_be_part_of_a_path(onboarded, tmp_path):
    file = tmp_path / "back\\slash.csv"
    file.write_bytes(b"code,name\n")

    done = onboarded("drop", file, "--to", PRODUCT)

    assert done.exit_code == 2
    assert "Drop the file at landing/DOMAIN/PRODUCT/vMAJOR/OBJECT/FILE." in done.stderr


def test_a_file_that_is_none(onboarded, tmp_path):
    for given, says in ((tmp_path / "none.csv", "does not exist"), (tmp_path, "is a directory")):
        done = onboarded("drop", given, "--to", PRODUCT)
        assert done.exit_code == 2
        assert says in done.stderr


@pytest.mark.parametrize(
    ("to", "code", "says"),
    [
        ("geography/none", 1, "There is no product geography/none."),
        ("geography", 2, "'geography' is not a product's address. Write it as DOMAIN/PRODUCT."),
        ("Geo/graphy", 2, "'Geo' cannot name a domain."),
        ("geography/../x", 2, "cannot name a product."),
    ],
)
def test_a_product_that_is_none(onboarded, good, to, code, says):
    done = onboarded("drop", good, "--to", to)

    assert done.exit_code == code
    assert says in done.stderr


def test_an_unknown_object(onboarded, good):
    done = onboarded("drop", good, "--to", PRODUCT, "--object", "rivers")

    assert done.exit_code == 2
    assert "It has countries (major 1)." in done.stderr


def test_no_storage_is_known(onboarded, good):
    done = onboarded("drop", good, "--to", PRODUCT, env={"STORAGE": None})

    assert done.exit_code == 2
    assert "No storage is known to drop the file into." in done.stderr


def test_a_connection_string_that_is_none(onboarded, good):
    done = onboarded("drop", good, "--to", PRODUCT, env={"STORAGE": "my account"})

    assert done.exit_code == 2
    assert "STORAGE is no connection string of a storage account" in done.stderr
    assert "my account" not in done.stderr


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (404, "The storage refuses landing/geography/countries/v1/countries/countries.csv (404, "),
        (403, "The storage does not let you write landing/geography/countries/v1/countries/count"),
    ],
)
def test_storage_refuses(onboarded, good, server, status, says):
    server.storage_answer = status

    done = onboarded("drop", good, "--to", PRODUCT)

    assert done.exit_code == 1
    assert says in done.stderr


def test_storage_does_not_answer(onboarded, good, server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        closed = server.storage.replace(server.address, f"127.0.0.1:{taken.getsockname()[1]}")
        done = onboarded("drop", good, "--to", PRODUCT, env={"STORAGE": closed})

    assert done.exit_code == 3
    assert "The storage does not answer" in done.stderr
    assert "Start the local Azure with `mesh up`, or set STORAGE" in done.stderr


def test_no_verdict_in_time(onboarded, good, server):
    server.asked_before_landing = 1000

    done = onboarded("drop", good, "--to", PRODUCT, "--wait", "--timeout", "0.1", "--json")

    assert done.exit_code == 3
    assert done.stdout == ""
    problem = json.loads(done.stderr)
    assert problem["type"] == "urn:mesh:problems:timeout"
    assert "There was no verdict on countries.csv within 0.1 s." in problem["detail"]


def test_an_empty_file_and_one_of_no_known_format_are_rejected(onboarded, tmp_path):
    for name in ("empty.csv", "sheet.xlsx"):
        file = tmp_path / name
        file.write_bytes(b"" if name == "empty.csv" else b"PK\x03\x04")

        done = onboarded("drop", file, "--to", PRODUCT, "--wait")

        assert done.exit_code == 1
        assert f"{name}  rejected" in done.stdout
        shown = onboarded("receipt", PRODUCT, done.stdout.split("Drop ")[1].split(",")[0])
        assert shown.exit_code == 0
        assert f"{name}  rejected" in shown.stdout


def test_a_file_of_two_versions_goes_to_the_newest(onboarded, declared, contract_of, good):
    both = declared(
        COUNTRIES,
        contract_of(),
        contract_of(version="2.0.0"),
        ports=(("countries", "1.0.0"), ("countries", "2.0.0")),
    )
    assert onboarded("onboard", both).exit_code == 0

    told = onboarded("drop", good, "--to", PRODUCT)

    assert "at landing/geography/countries/v2/countries/countries.csv" in told.stdout


def test_a_corrected_reject_file_is_dropped_for_the_drop_it_mends(onboarded, bad, tmp_path):
    first = onboarded("drop", bad, "--to", PRODUCT, "--period", "2026-11", "--wait")
    assert "Correct the reject file and drop it at landing/geography/countries/v1" in first.stdout
    drop = json.loads(onboarded("where", "bad.csv", "--json").stdout)["drop"]
    mended = tmp_path / "mended.csv"
    mended.write_bytes(b"code,name,area\nDE,Germany,1\nFR,France,1\n")

    done = onboarded("drop", mended, "--to", PRODUCT, "--mends", drop, "--wait", "--json")

    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["mends"], told["kept"], told["accepted"]) == (drop, 1, 2)
    assert f"/countries/mends%3D{drop}/mended.csv" in told["url"].replace("=", "%3D")
    assert told["receipt_content"]["joins"] == {"drops": [drop], "rows": 1}
    for name in (drop, told["drop"]):
        shown = onboarded("where", name).stdout
        assert f"{drop}  rejected: 3 rows, 1 accepted, 2 rejected" in shown
        assert "2 rows, 2 accepted, 0 rejected, with 1 good row of those before" in shown
    page = onboarded("receipt", PRODUCT, told["drop"]).stdout
    assert f"joined by 1 good row of {drop}" in page


def test_a_correction_goes_where_the_drop_went(onboarded, good):
    done = onboarded("drop", good, "--to", PRODUCT, "--mends", "x", "--period", "2026")

    assert done.exit_code == 2
    assert "Leave --object, --major and --period out." in done.stderr


def test_a_drop_that_cannot_be_mended_for_it_is_none(onboarded, good):
    done = onboarded("drop", good, "--to", PRODUCT, "--mends", "0" * 20 + "-" + "0" * 12)

    assert done.exit_code == 1
    assert "has no decision on" in done.stderr

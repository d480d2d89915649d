"""`mesh contract consumers`, and `mesh subscribe --uses`."""

from __future__ import annotations

import json

import pytest

from tests.unit.conftest import declaration, product_document

PRODUCT = "geography/countries"


@pytest.fixture
def written(contract_of, tmp_path):
    """Write a version of the contract, with its fields changed by `edit`."""

    def run(version, edit=None):
        document = contract_of(version=version)
        if edit is not None:
            edit(document["schema"][0]["properties"])
        file = tmp_path / "countries.odcs.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        return str(file)

    return run


def without_area(fields):
    del fields[2]


def words(done):
    return " ".join(done.stdout.split())


@pytest.fixture
def consumers(onboarded):
    """Two consumers of `geography/countries` that rely on different fields."""
    wish = ("subscribe", PRODUCT, "--pull")
    onboarded(*wish, "--as", "fleet", "--uses", "countries.code, countries.name")
    onboarded(*wish, "--as", "maps", "--uses", "countries.code", "--uses", "countries.area,")
    return onboarded


def test_each_consumer_has_its_verdict(consumers, written):
    done = consumers("contract", "consumers", PRODUCT, written("1.1.0", without_area), "--json")

    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (found["verdict"], found["compared_with"]) == ("breaking", ["1.0.0"])
    assert [(told["consumer"], told["verdict"], told["uses"]) for told in found["consumers"]] == [
        ("fleet", "unaffected", ["countries.code", "countries.name"]),
        ("maps", "affected", ["countries.area", "countries.code"]),
    ]
    [change] = found["consumers"][1]["affected_by"]
    assert (change["object"], change["field"], change["rule"]) == ("countries", "area", "removed")


def test_a_breaking_contract_in_words(consumers, written):
    done = consumers("contract", "consumers", PRODUCT, written("1.1.0", without_area))

    assert done.exit_code == 1
    assert "1 change; 1 of 2 consumers affected: publish it under a new major version" in words(
        done
    )


def test_a_new_major_and_a_compatible_contract_in_words(consumers, written):
    major = consumers("contract", "consumers", PRODUCT, written("2.0.0", without_area))
    same = consumers("contract", "consumers", PRODUCT, written("1.1.0"))

    assert (major.exit_code, same.exit_code) == (0, 0)
    assert (
        "1 change; 1 of 2 consumers affected once they move: countries 2.0.0 is published beside "
        "what there is." in words(major)
    )
    assert (
        "0 changes; 0 of 2 consumers affected: countries 1.1.0 is compatible (FORWARD_TRANSITIVE)."
        in words(same)
    )


def test_who_registers_nothing_relies_on_everything(onboarded, written):
    onboarded("subscribe", PRODUCT, "--pull", "--as", "fleet")

    done = onboarded("contract", "consumers", PRODUCT, written("1.1.0", without_area))

    assert "fleet everything affected" in words(done)


def test_what_is_relied_on_is_said_and_taken_back(onboarded):
    wish = ("subscribe", PRODUCT, "--pull", "--as", "fleet")

    first = onboarded(*wish, "--uses", "countries.code")
    kept = onboarded(*wish, "--json")
    back = onboarded(*wish, "--uses", "", "--json")

    assert "It relies on countries.code; changes of anything else do not affect it." in words(first)
    assert json.loads(kept.stdout)["uses"] == ["countries.code"]
    assert json.loads(back.stdout)["uses"] == []


def test_an_unknown_field_is_refused(onboarded):
    done = onboarded("subscribe", PRODUCT, "--pull", "--as", "fleet", "--uses", "countries.flag")

    assert done.exit_code == 1
    assert "has no field 'flag'; it has area, code, name." in " ".join(done.stderr.split())


def test_a_file_that_is_not_utf_8(onboarded, tmp_path):
    file = tmp_path / "countries.odcs.yaml"
    file.write_bytes(b"name: Z\xfcrich\n")

    done = onboarded("contract", "consumers", PRODUCT, str(file))

    assert done.exit_code == 2
    assert "is not UTF-8: byte 7 cannot be read. Save it as UTF-8." in " ".join(done.stderr.split())


def test_a_port_that_ends_is_acknowledged(consumers, world):
    assert "has given no notice" in consumers("notice", "list", PRODUCT).stdout
    product = product_document()
    ending = [
        ("deprecationSunset", "2027-03-01T00:00:00Z"),
        ("deprecationMigration", "https://geography.example/countries-2"),
    ]
    custom = [{"property": name, "value": value} for name, value in ending]
    product["outputPorts"][0]["customProperties"] = custom
    world.onboard({**declaration(), "product.odps.json": json.dumps(product)})

    listed = words(consumers("notice", "list", PRODUCT))
    wish = ("notice", "acknowledge", PRODUCT, "countries", "v1", "--as", "maps")
    done = [consumers(*wish, "--json"), consumers(*wish)]
    page = words(consumers("product", PRODUCT))

    assert "countries 1.0.0 ends 2027-03-01T00:00:00Z; notice until 2027-03-01" in listed
    assert "How to move: https://geography.example/countries-2" in listed
    assert "fleet outstanding countries ends with version 1" in listed
    assert [
        (one["consumer"], bool(one["acknowledged_at"]))
        for one in json.loads(done[0].stdout)["asked"]
    ] == [("fleet", False), ("maps", True)]
    assert "by developer countries ends" in words(done[1])
    assert "1 of 2 consumers acknowledged" in page

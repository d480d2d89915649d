"""`mesh onboard`, `mesh onboarding`, `mesh approve`, `mesh refuse`: what else can happen."""

from __future__ import annotations

import json

import pytest

from mesh.model.names import ProductId

COUNTRIES = ProductId(domain="geography", product="countries")


@pytest.fixture
def waiting(run, declared, contract_of):
    """The id of an onboarding that waits for an approval."""
    done = run("onboard", declared(COUNTRIES, contract_of(classification="restricted")), "--json")
    saga = json.loads(done.stdout)
    assert (done.exit_code, saga["status"]) == (0, "waiting")
    return saga["id"]


def test_a_refused_declaration_shows_all_findings_and_exits_with_1(run, declared):
    folder = declared()
    file = folder / "product.odps.json"
    product = json.loads(file.read_text(encoding="utf-8"))
    del product["team"], product["support"]
    file.write_text(json.dumps(product), encoding="utf-8")

    shown = run("onboard", folder)
    told = run("onboard", folder, "--json")

    assert shown.exit_code == told.exit_code == 1
    assert "The declaration is refused: 2 findings." in shown.stdout
    for finding in json.loads(told.stdout)["findings"]:
        for part in finding.values():
            assert all(word in shown.stdout for word in part.split())


def test_a_folder_without_a_declaration(run, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")

    done = run("onboard", tmp_path)

    assert done.exit_code == 2
    assert f"{tmp_path} holds no declaration. It needs one file NAME.odps.yaml" in done.stderr


def test_a_folder_that_is_none(run, good):
    for given, says in ((good.parent / "none", "does not exist"), (good, "is a file")):
        done = run("onboard", given)
        assert done.exit_code == 2
        assert says in done.stderr


def test_a_file_that_is_not_utf_8(run, declared):
    folder = declared()
    (folder / "more.odcs.yaml").write_bytes(b"name: Z\xfcrich")

    done = run("onboard", folder)

    assert done.exit_code == 2
    assert "more.odcs.yaml is not UTF-8 at byte 7. Save it with the encoding UTF-8." in done.stderr


def test_what_only_looks_like_a_file_of_the_declaration_is_left_out(run, declared):
    folder = declared()
    (folder / "more.odcs.yaml").mkdir()
    (folder / "gone.odcs.yaml").symlink_to(folder / "nowhere")
    (folder / "README.md").write_text("About it.")

    assert run("onboard", folder).exit_code == 0


def test_an_onboarding_that_waits_is_approved(run, waiting, declared, contract_of):
    again = run("onboard", declared(COUNTRIES, contract_of(classification="restricted")))
    assert again.exit_code == 0
    assert "geography/countries waits for an approval, as policy asks." in again.stdout
    assert f"mesh approve {waiting} --by NAME --reason TEXT" in again.stdout

    approved = run("approve", waiting, "--by", "Ada", "--reason", "Fine.")

    assert approved.exit_code == 0
    assert f"Onboarding {waiting} of geography/countries is approved" in approved.stdout
    shown = run("onboarding", waiting)
    assert "✓ approved" in shown.stdout
    assert "approved by developer for Ada: Fine." in shown.stdout
    assert "geography/countries is in the mesh." in shown.stdout


def test_an_onboarding_that_waits_is_refused(run, waiting):
    refused = run("refuse", waiting, "--by", "Ada", "--reason", "Too soon.", "--json")

    assert refused.exit_code == 0
    saga = json.loads(refused.stdout)
    assert saga["status"] == "refused"
    shown = run("onboarding", waiting)
    assert shown.exit_code == 0
    assert "developer for Ada refused the declaration: Too soon." in shown.stdout


def test_a_decision_about_what_does_not_wait(run, waiting):
    run("refuse", waiting, "--by", "Ada", "--reason", "Too soon.")

    done = run("approve", waiting, "--by", "Ada", "--reason", "Now.")

    assert done.exit_code == 1
    assert f"Onboarding {waiting} is refused; it does not wait for an approval." in done.stderr


def test_a_decision_without_a_name_or_a_reason(run, waiting):
    without_reason = run("approve", waiting, "--by", "Ada")
    assert without_reason.exit_code == 2
    assert "Missing option '--reason'" in without_reason.stderr

    empty = run("approve", waiting, "--by", "", "--reason", "Fine.")
    assert empty.exit_code == 1
    assert "/approver" in empty.stderr
    assert "body.minLength" in empty.stderr


def test_an_unknown_onboarding(run):
    for arguments in (("onboarding", "x"), ("approve", "x", "--by", "Ada", "--reason", "Fine.")):
        done = run(*arguments)
        assert done.exit_code == 1
        assert "There is no onboarding 'x'." in done.stderr


@pytest.mark.parametrize("identity", ["", ".", ".."])
def test_an_id_that_would_walk_the_path(run, server, identity):
    done = run("onboarding", identity)

    assert done.exit_code == 2
    assert f"{identity!r} names nothing. Give an id as the mesh prints it." in done.stderr
    assert server.requests == []


def test_an_onboarding_that_takes_too_long(run, declared, server):
    server.steps_at_once = 0

    done = run("onboard", declared(), "--timeout", "0")

    assert done.exit_code == 3
    assert "There was no end of onboarding" in done.stderr
    assert "It goes on by itself; `mesh onboarding" in done.stderr

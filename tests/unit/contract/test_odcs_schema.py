"""Our older ODCS schemas against the official ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mesh.model.odcs_schema import minor_version, official_schema

ANNOTATIONS = {"title", "description", "examples", "$comment", "default", "deprecated", "$id"}
NAME_MAPS = {"properties", "$defs", "patternProperties", "dependentSchemas"}


def bare(schema: Any) -> Any:
    """A schema without annotations: what is left decides about validity."""
    if isinstance(schema, list):
        return [bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for keyword, value in schema.items():
        if keyword in ANNOTATIONS:
            continue
        if keyword in NAME_MAPS:
            kept[keyword] = {name: bare(item) for name, item in value.items()}
        elif keyword in {"enum", "required"}:
            kept[keyword] = sorted(value)
        else:
            kept[keyword] = bare(value)
    return kept


def download(version: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    package = f"open-data-contract-standard=={version}"
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [*command, str(folder), package], check=False, capture_output=True, env=environment
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        pytest.skip(f"the package index does not offer {package} here")
    with zipfile.ZipFile(wheels[0]) as wheel:
        schema = json.loads(wheel.read("open_data_contract_standard/schema.json"))
    assert isinstance(schema, dict)
    return schema


@pytest.mark.parametrize(("minor", "package"), [("v3.1", "3.1.2"), ("v3.0", "3.0.5")])
def test_an_older_schema_says_what_the_official_one_says(
    minor: str, package: str, tmp_path: Path
) -> None:
    assert bare(official_schema(minor)) == bare(download(package, tmp_path))


@pytest.mark.parametrize(
    ("api_version", "minor"),
    [
        ("v3.2.0", "v3.2"),
        ("v3.1.0", "v3.1"),
        ("v3.0.2", "v3.0"),
        ("v2.2.2", None),
        ("v4.0.0", None),
        ("3.1.0", None),
        (3, None),
        (None, None),
    ],
)
def test_the_schema_is_chosen_by_the_documents_own_version(
    api_version: object, minor: str | None
) -> None:
    assert minor_version(api_version) == minor

"""What a small file must not load."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from mesh.validation import FileFormat, NullSink, validate
from tests.unit.validation.files import contract, unchecked_plan_of

plan = unchecked_plan_of(contract([{"name": "a", "logicalType": "string", "unique": True}]))
for kind, data in (("csv", b"a\\nx\\ny\\nx\\n"), ("jsonl", b'{"a": "x"}\\n{"a": "x"}\\n')):
    report = validate(plan, [data], file_format=FileFormat(kind=kind), sink=NullSink())
    assert report.by_rule == {"unique": 1}, report
loaded = {"numpy", "polars", "pyarrow"} & sys.modules.keys()
assert not loaded, loaded
"""


def test_a_small_file_with_a_key_is_judged_without_polars() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)

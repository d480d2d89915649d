"""Nouns are read from rows by many threads at once, also the first of their kind."""

from __future__ import annotations

import subprocess
import sys

THREADS_MEET = """
import threading, time
import msgspec, msgspec._utils
from mesh.azure.rows import from_json
from mesh.errors import Unavailable
from mesh.model.record import Head

learn = msgspec._utils.get_class_annotations

def slowly(kind):
    time.sleep(0.01)  # the other thread goes on, as it may at any moment
    return learn(kind)

msgspec._utils.get_class_annotations = slowly
read = []

def work():
    try:
        from_json(Head, '{"id": {"domain": "a"}, "product": {"id": {}}}', what="A row")
    except Unavailable as wrong:
        read.append(str(wrong))

threads = [threading.Thread(target=work) for _ in range(3)]
for number, thread in enumerate(threads):
    thread.start()
    time.sleep(0.015)
for thread in threads:
    thread.join()
assert len(read) == 3, read
"""


def test_threads_that_meet_a_kind_of_noun_first_do_not_end_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", THREADS_MEET], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr

"""What allocators keep of the memory that a large file has given back: as little as they can.

A file goes by in blocks of megabytes, which are made and let go in several threads. Left alone, the
C library learns from the first of them to keep such blocks in its arenas, and Arrow's own allocator
keeps what each thread has had; a quarter of the memory of an instance would hold nothing.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT = 2 << 20
_LARGE = 2 << 20


@functools.cache
def give_blocks_back() -> bool:
    """Have the C library keep few blocks; whether it can be told so.

    Blocks of 2 MiB or more go back at once. Of smaller ones 2 MiB may stay with each arena: a page
    that is asked for anew has to be emptied first. Where all go back from 256 KiB on that is a
    fifth of the work on a large file, and less than a sixth here; to keep all that is no larger
    than 4 MiB is quicker still by a twelfth, and takes some 20 MB more.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    wanted = {_M_MMAP_THRESHOLD: _LARGE, _M_TRIM_THRESHOLD: _KEPT}
    return mallopt is not None and all(mallopt(what, size) == 1 for what, size in wanted.items())


@functools.cache
def give_columns_back() -> str:
    """Have Arrow take the allocator that returns most; its name.

    What Arrow does by itself, reading text for one, asks the environment when Arrow is loaded.
    """
    named = "system" if sys.platform == "win32" else "jemalloc"
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", named)
    import pyarrow as pa

    try:
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    except NotImplementedError:  # not on every system
        pa.set_memory_pool(pa.system_memory_pool())
    return str(pa.default_memory_pool().backend_name)

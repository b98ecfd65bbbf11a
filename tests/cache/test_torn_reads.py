"""Readers beside writers see an old record or a new one, never a mix and never nothing."""

import multiprocessing
import os
from multiprocessing.synchronize import Event

import pytest

from msauth.cache.folder import Folder

from . import store
from .conftest import REQUEST, Cache, made_up

WRITERS = 2


def write(cache: Cache, who: int, stop: Event) -> None:
    turn = 0
    while not stop.is_set():
        turn += 1
        # Different lengths, so that a mix of two records would be seen.
        cache.put(made_up(f"{who}-{turn}" + "y" * (turn % 700)))


def read(cache: Cache, count: int, results: "multiprocessing.SimpleQueue[tuple[int, int]]") -> None:
    invalid, seen = 0, set()
    for _ in range(count):
        token = store.read(REQUEST)
        if token is None:
            invalid += 1
        else:
            seen.add(token)
    results.put((invalid, len(seen)))


@pytest.mark.parametrize(
    ("reads", "readers"),
    [(6_000, 2), pytest.param(600_000, 2, marks=pytest.mark.long, id="over-a-million")],
)
def test_no_read_is_torn(cache: Cache, reads: int, readers: int) -> None:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    results: multiprocessing.SimpleQueue[tuple[int, int]] = context.SimpleQueue()
    cache.put(made_up("first"))
    writing = [context.Process(target=write, args=(cache, n, stop)) for n in range(WRITERS)]
    reading = [context.Process(target=read, args=(cache, reads, results)) for _ in range(readers)]
    for process in (*writing, *reading):
        process.start()
    answers = [results.get() for _ in reading]
    stop.set()
    for process in (*writing, *reading):
        process.join(60)
        assert process.exitcode == 0
    assert sum(invalid for invalid, _ in answers) == 0
    assert all(seen > 1 for _, seen in answers), "the writers were not seen to write"
    assert cache.temporaries() == []
    print(f"{reads * readers} reads, 0 invalid, {max(s for _, s in answers)} records seen")


def test_a_record_replaced_between_open_and_read_is_whole(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replaced file has no name left (`st_nlink` 0), and is still a good answer."""
    cache.put(made_up("old"))
    fstat = os.fstat

    def replaced(descriptor: int) -> os.stat_result:
        monkeypatch.setattr(os, "fstat", fstat)
        cache.put(made_up("new"))
        assert fstat(descriptor).st_nlink == 0
        return fstat(descriptor)

    with Folder.open(str(cache.place)) as folder:
        monkeypatch.setattr(os, "fstat", replaced)
        found = folder.record(cache.record.name, REQUEST.cache_key)
    assert found is not None
    assert found[1].decode() == made_up("old").text

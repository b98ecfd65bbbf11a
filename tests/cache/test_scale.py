"""Thousands of entries cost a reader, a writer and an erase no more than a few."""

import os

import pytest

from msauth.broker import changes
from msauth.cache import folder as directory
from msauth.cache.record import HOLDERS

from . import store
from .conftest import REQUEST, Cache, made_up


class Counts:
    """How many files were opened, and how often the whole folder was listed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = self.listed = 0
        real_open, real_list = directory.Folder._open_file, os.listdir

        def opening(self_: directory.Folder, name: str, flags: int) -> int:
            self.opened += 1
            return real_open(self_, name, flags)

        def listing(place: int | str = ".") -> list[str]:
            self.listed += 1
            return real_list(place)  # type: ignore[return-value]

        monkeypatch.setattr(directory.Folder, "_open_file", opening)
        monkeypatch.setattr(directory.os, "listdir", listing)

    def taken(self) -> tuple[int, int]:
        counts = self.opened, self.listed
        self.opened = self.listed = 0
        return counts


def test_a_write_an_erase_and_a_hit_look_at_their_own_files(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put(made_up("first"))  # tidies, which is due once in a quarter of an hour
    counts = Counts(monkeypatch)
    costs = []
    for entries in (10, 300):
        for number in range(entries):
            store.write(REQUEST.with_(client_id=f"{entries}-{number}"), made_up(f"t{number}"))
        one = made_up(f"one-of-{entries:04}")
        counts.taken()
        cache.put(one)
        written = counts.taken()
        assert cache.get() is not None
        hit = counts.taken()
        store.reject(one.text)
        store.reject(one.text, organisation="other")
        erased = counts.taken()
        assert not cache.record.exists()
        costs.append((written, hit, erased))
    assert costs[0] == costs[1]
    assert all(listed == 0 for cost in costs for _, listed in cost)


def test_the_list_of_records_goes_with_the_token(cache: Cache) -> None:
    for mark in ("one", "two", "two", "three"):
        cache.put(made_up(mark))
    lists = [path.name for path in cache.place.glob("*" + HOLDERS)]
    assert lists == [made_up("three").fingerprint + HOLDERS]


def test_a_token_of_two_keys_is_erased_from_both(cache: Cache) -> None:
    other = REQUEST.with_(tenant=None)
    cache.put(made_up("one"))
    store.write(other, made_up("one"))
    store.reject(made_up("one").text, '{"claims":1}')
    assert store.read(REQUEST) is None
    assert store.read(other) is None
    assert list(cache.place.glob("*.tok")) == []


def test_a_list_that_is_damaged_names_nothing_outside(cache: Cache) -> None:
    cache.put(made_up("one"))
    path = cache.place / (made_up("one").fingerprint + HOLDERS)
    path.write_bytes(b"../../etc/passwd\n\xff\n" + path.read_bytes())
    with store.opened() as folder:
        assert changes._holders(folder, made_up("one").fingerprint) == [REQUEST.record_name]

"""The record format: every truncation and every flipped bit is a miss or the original."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msauth.cache import record

from .conftest import REQUEST, Cache, made_up

NAME = st.text(string.ascii_lowercase + "_", min_size=1, max_size=12)
VALUE = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40
)


@pytest.fixture
def real(cache: Cache) -> bytes:
    cache.put(made_up("original"))
    return cache.record.read_bytes()


def test_every_truncation_is_a_miss(real: bytes) -> None:
    canonical = REQUEST.cache_key
    assert record.decode(real, canonical) is not None
    for length in range(len(real)):
        assert record.decode(real[:length], canonical) is None, length
        assert record.decode(real[:length], None) is None, length


def test_every_flipped_bit_is_a_miss(real: bytes) -> None:
    canonical = REQUEST.cache_key
    original = record.decode(real, canonical)
    for position in range(len(real)):
        for bit in range(8):
            damaged = bytearray(real)
            damaged[position] ^= 1 << bit
            assert record.decode(bytes(damaged), canonical) in (None, original), (position, bit)


def test_every_lost_or_doubled_byte_is_a_miss(real: bytes) -> None:
    canonical = REQUEST.cache_key
    for position in range(len(real)):
        lost = real[:position] + real[position + 1 :]
        doubled = real[: position + 1] + real[position:]
        if lost != real:
            assert record.decode(lost, canonical) is None
        assert record.decode(doubled, canonical) is None


def test_zeroed_blocks_are_a_miss(real: bytes) -> None:
    """What a file system may leave of a page that never reached the disk."""
    for start in range(0, len(real), 512):
        damaged = real[:start] + bytes(len(real[start : start + 512])) + real[start + 512 :]
        assert record.decode(damaged, REQUEST.cache_key) is None
    assert record.decode(b"", REQUEST.cache_key) is None


def test_damage_is_a_miss_for_the_reader_too(real: bytes, cache: Cache) -> None:
    for damaged in (b"", real[:-1], real[:700] + b"?" + real[701:], real + b"x", real * 40):
        cache.record.write_bytes(damaged)
        assert cache.get() is None
    cache.record.write_bytes(real)
    assert cache.get() == made_up("original").text


def test_a_record_under_another_name_is_a_miss(real: bytes) -> None:
    for change in ({"tenant": "fabrikam.com"}, {"client_id": "x"}, {"profile": "p"}):
        assert record.decode(real, REQUEST.with_(**change).cache_key) is None


@settings(deadline=None, max_examples=60)
@given(
    attributes=st.dictionaries(NAME, VALUE, min_size=1, max_size=8), payload=st.binary(max_size=300)
)
def test_what_is_encoded_is_decoded(attributes: dict[str, str], payload: bytes) -> None:
    canonical = REQUEST.cache_key
    found = record.decode(record.encode(canonical, attributes, payload), canonical)
    assert found is not None
    decoded, back = found
    assert back == payload
    assert {name: decoded[name] for name in attributes} == attributes


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=400))
def test_anything_else_is_a_miss(data: bytes) -> None:
    assert record.decode(data, None) is None
    assert record.decode(record.MAGIC + data, None) is None


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=64), st.binary(max_size=64))
def test_different_keys_have_different_names(one: bytes, other: bytes) -> None:
    assert (record.name_of(one) == record.name_of(other)) == (one == other)


def test_leading_zeros_have_names_of_their_own() -> None:
    assert len({record.name_of(bytes(length)) for length in range(300)}) == 300


@pytest.mark.parametrize("text", [None, "", "-1", "1.5", "٣", "1" * 20, "0x10", " 1", "1e3"])
def test_a_doubtful_number_is_zero(text: str | None) -> None:
    assert record.number(text) == 0


@pytest.mark.parametrize(
    ("text", "good"),
    [("a.b-c_d~e+f/g==", True), ("a", True), ("", False), ("==", False), ("a=b", False)]
    + [(f"a{bad}b", False) for bad in "\n\0 '\"$`;é"],
)
def test_a_token_is_a_b64token(text: str, good: bool) -> None:
    assert record.is_token(text) is good

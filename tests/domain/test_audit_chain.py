"""A chain of entries shows what was changed, removed, moved or put in, and where."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cellos_nb.domain.audit import GENESIS, AuditEntry, AuditLink, breaks_of, payload_text, sealed

NAMES = ("at", "who", "account", "kind", "subject", "why", "payload")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
VALUES = st.fixed_dictionaries(dict.fromkeys(NAMES, TEXT))


def chain_of(contents):
    made = []
    for values in contents:
        made.append(sealed(values, made[-1] if made else None))
    return made


CHAINS = st.lists(VALUES, min_size=1, max_size=8).map(chain_of)


def found(chain, **how):
    return [(each.what, each.seq) for each in breaks_of(chain, **how)]


def plain(n):
    return chain_of([dict.fromkeys(NAMES, "") | {"why": f"{i}"} for i in range(n)])


@given(CHAINS)
def test_what_was_written_is_whole_and_so_is_any_end_of_it(chain):
    assert found(chain) == []
    assert found(chain[len(chain) // 2 :], is_whole=False) == []


@given(CHAINS, st.data())
def test_every_change_of_any_field_of_any_entry_is_found_at_that_entry(chain, data):
    place = data.draw(st.integers(0, len(chain) - 1))
    name = data.draw(st.sampled_from([field.name for field in fields(AuditEntry)]))
    old = getattr(chain[place], name)
    new = data.draw(st.integers(-5, 2000) if name == "seq" else TEXT)
    assume(new != old)
    altered = replace(chain[place], **{name: new})
    if name == "seq":
        assume(new not in {each.seq for each in chain})
    changed = sorted([*chain[:place], altered, *chain[place + 1 :]], key=lambda each: each.seq)
    assert altered.seq in {seq for _, seq in found(changed)}


@given(CHAINS, st.data())
def test_every_entry_that_is_missing_but_the_last_is_named(chain, data):
    assume(len(chain) > 1)
    place = data.draw(st.integers(0, len(chain) - 2))
    assert found(chain[:place] + chain[place + 1 :]) == [("missing", place + 2)]
    text = [each.text for each in breaks_of(chain[:place] + chain[place + 1 :])]
    assert text == [f"entry {place + 1} is missing"]


def renumbered(chain):
    return [replace(each, seq=seq) for seq, each in enumerate(chain, 1)]


def test_entries_that_were_closed_up_after_one_was_taken_out_are_told_by_their_old_numbers():
    chain = plain(5)
    closed_up = renumbered(chain[:2] + chain[3:])
    assert [(each.what, each.text.partition(":")[0]) for each in breaks_of(closed_up)] == [
        ("moved", "entry 3 was entry 4"),
        ("moved", "entry 4 was entry 5"),
    ]


def test_entries_that_changed_places_are_told():
    chain = plain(4)
    swapped = renumbered([chain[0], chain[2], chain[1], chain[3]])
    assert found(swapped)[:2] == [("moved", 2), ("moved", 3)]


def test_an_entry_that_was_put_in_with_a_hash_of_its_own_is_told():
    chain = plain(4)
    forged = sealed(dict.fromkeys(NAMES, "forged"), chain[1])
    assert found(renumbered([*chain[:2], forged, *chain[2:]])) == [("moved", 4), ("moved", 5)]
    assert found([*chain[:2], forged, chain[3]]) == [("foreign", 4)]


def test_another_beginning_is_told():
    chain = plain(2)
    begun = replace(chain[0], previous="f" * 64)
    begun = replace(begun, sha256=begun.digest())
    assert found([begun]) == [("foreign", 1)]
    assert chain[0].previous == GENESIS


def test_an_extract_is_held_together_by_the_hashes_of_what_it_leaves_out():
    chain = plain(6)
    extract = [chain[1], AuditLink(3, chain[2].sha256), chain[3], AuditLink(5, chain[4].sha256), chain[5]]
    assert found(extract, is_whole=False) == []
    extract[1] = AuditLink(3, "f" * 64)
    assert found(extract, is_whole=False) == [("foreign", 4)]
    del extract[1]
    assert found(extract, is_whole=False) == [("missing", 4)]


def test_the_hash_of_an_entry_can_be_made_with_the_standard_library_alone():
    import hashlib
    import json

    (entry,) = chain_of([dict(zip(NAMES, "ABCDEF", strict=False)) | {"payload": "{}", "why": "µ"}])
    content = [1, "A", "B", "C", "D", "E", "µ", "{}", "0" * 64]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    assert entry.sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        pytest.param({"b": 1, "a": [2.5, "µ"]}, '{"a":[2.5,"µ"],"b":1}', id="sorted, no blanks"),
        pytest.param({"a": "\0"}, '{"a":"\\u0000"}', id="nul"),
        pytest.param({"a": "\ud800"}, '{"a":"\\ud800"}', id="half a character"),
    ],
)
def test_facts_have_one_text(facts, text):
    assert payload_text(facts) == text

"""Line numbers: right for every construct of TOML 1.0, or none at all."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ptpstack.config.dump import dump_document
from ptpstack.config.findings import Path
from ptpstack.config.positions import line_numbers

TRICKY = '''# [not.a.table]
a = "x # no comment" # [no]
"b c" = 1
d.e = 2
'f"g' = { x = 1, y = { z = "}" } }
multi = """
[fake]
k = 1 \\
\\"""
""""
literal = \'\'\'
[[fake]]\'\'\'
when = 1979-05-27 07:32:00
list = [
    1, # one
    [2, 3],
    { k = "v" },
]

[t]
k = 1
[[i]]
[[i.p]]
x = 1
[[i.p]]
x = 2
[i.r]
s = -inf
[[i]]
[[i.p]]
x = 3
[ t . "u v" ]
k = 0x_f
'''.replace("0x_f", "0xf")


def places(value: Any, path: Path = ()) -> set[Path]:
    """Every path of a parsed document."""
    found = {path} if path else set()
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found |= places(inner, (*path, index))
    return found


def test_tricky_document() -> None:
    lines = line_numbers(TRICKY)
    assert set(lines) == places(tomllib.loads(TRICKY))
    text = TRICKY.split("\n")
    for path, expected in {
        ("a",): 'a = "x',
        ("b c",): '"b c"',
        ("d", "e"): "d.e",
        ('f"g', "y", "z"): "'f",
        ("multi",): "multi",
        ("literal",): "literal",
        ("when",): "when",
        ("list", 1, 1): "    [2",
        ("list", 2, "k"): "    { k",
        ("t", "k"): "k = 1",
        ("i", 0): "[[i]]",
        ("i", 0, "p", 1, "x"): "x = 2",
        ("i", 0, "r", "s"): "s = ",
        ("i", 1, "p", 0, "x"): "x = 3",
        ("t", "u v", "k"): "k = 0xf",
    }.items():
        assert text[lines[path] - 1].startswith(expected), path


def test_gives_up_rather_than_guess() -> None:
    assert line_numbers("a = \nb = [") == {}
    assert line_numbers("a = " + "[" * 100_000) == {}
    assert line_numbers("a." * 100 + "a = 1") == {}


keys = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
scalars = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=12))
scalars = scalars.filter(lambda v: not isinstance(v, str) or v.isprintable())
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
documents = st.recursive(
    st.dictionaries(keys, values, max_size=4),
    lambda inner: st.dictionaries(keys, st.one_of(values, inner, st.lists(inner, min_size=1, max_size=3)), max_size=4),
    max_leaves=12,
)


@given(documents)
def test_every_place_of_a_document_has_its_line(document: dict[str, Any]) -> None:
    text = dump_document(document)
    assert tomllib.loads(text) == document
    lines = line_numbers(text)
    assert set(lines) == places(document)
    source = text.split("\n")
    for path, line in lines.items():
        name = next(step for step in reversed(path) if isinstance(step, str))
        assert dump_document({name: 0}).removesuffix(" = 0\n") in source[line - 1]

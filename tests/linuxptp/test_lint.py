"""The rules over a corpus: each file of wrong/ says what is to be found in it and where, those of clean/ are in order.

Lines with a meaning in a file: ``# expect: RULE [FILE[:LINE]]``, ``# options:`` of ptp4l, ``# phc2sys:`` its options,
``# with:`` another file that belongs to it.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from ptpstack.config.findings import ERROR, WARNING, ConfigError
from ptpstack.linuxptp.lint import RULES, Suspicion, judge
from ptpstack.linuxptp.lint.companions import COMPANION_RULES
from ptpstack.linuxptp.phc2sys import parse_phc2sys
from ptpstack.linuxptp.reader import read_config
from ptpstack.linuxptp.settings import Settings

HERE = Path(__file__).parent
WRONG = sorted(p for p in (HERE / "wrong").glob("*.cfg") if "# expect:" in p.read_text())
CLEAN = sorted((HERE / "clean").glob("*.cfg"))


def remarks(path: Path, word: str) -> list[str]:
    lines = path.read_text().splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.startswith(f"# {word}:")]


def settings_of(path: Path) -> Settings:
    words = shlex.split(" ".join(remarks(path, "options")))
    assert words[::2] == ["-i"] * (len(words) // 2)
    return Settings(read_config(path), words[1::2])


def judged(path: Path) -> list[Suspicion]:
    sets = [settings_of(path), *(settings_of(path.parent / name) for name in remarks(path, "with"))]
    return judge(sets, [parse_phc2sys(text) for text in remarks(path, "phc2sys")])


def test_the_corpus_is_large_and_has_every_rule() -> None:
    assert len(WRONG) >= 60
    expected = {remarks(path, "expect")[0].split()[0] for path in WRONG}
    assert expected - {"refused"} == {*RULES, *COMPANION_RULES}


@pytest.mark.parametrize("path", WRONG, ids=lambda p: p.stem)
def test_wrong(path: Path) -> None:
    rule, _, place = remarks(path, "expect")[0].partition(" ")
    file, _, line = place.partition(":")
    if rule == "refused":
        with pytest.raises(ConfigError) as caught:
            read_config(path)
        assert [f.line for f in caught.value.findings] == [int(line)]
        return
    found = [s for s in judged(path) if s.rule == rule]
    assert found
    for suspicion in found:
        assert suspicion.reason
        assert suspicion.fix
    if place:
        assert (file, int(line) if line else None) in [(Path(s.file).name, s.line) for s in found]


@pytest.mark.parametrize("path", CLEAN, ids=lambda p: p.stem)
def test_clean(path: Path) -> None:
    assert [s for s in judged(path) if s.severity in (ERROR, WARNING)] == []


def test_what_is_wrong_is_said_once() -> None:
    """Of ports that all have the value of [global], the line of [global] is told once."""
    settings = Settings(read_config(HERE / "wrong" / "sdo-reserved.cfg"), ["eth0", "eth1", "eth2"])
    assert [s.rule for s in judge([settings])] == ["sdo-reserved"]


def test_every_rule_says_what_it_is_about() -> None:
    for rule in RULES.values():
        assert rule.about
    assert all(about for _, about, _ in COMPANION_RULES.values())

"""A trace of an engine with keys: no key in it, and it replays to the same decisions all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ptpstack.config.keys import KeyStore
from ptpstack.config.sa_file import parse_associations
from ptpstack.engine.trace import RecordedEngine, TraceError, read_trace, replay
from ptpstack.engine.trace_file import open_for_writing
from ptpstack.protocol.security import association_as_dict
from tests.engine.bench import instance, plan
from tests.protocol.bench import START, Peer, S

SECRET = "31313233343536373839616263646566"
FILE = f"spp 5\n1 SHA256-128 HEX:{SECRET}\n"


def recorded(path: Path) -> None:
    engine = RecordedEngine(plan(instance("i", port={"spp": 5})), open_for_writing(str(path)))
    store = KeyStore(parse_associations(FILE.encode())[0].values())
    engine.use_mac(store)
    engine.secure([association_as_dict(a) for a in store.associations], START)
    engine.start(START)
    now = START
    peer = Peer(2)
    for second in range(30):
        if second == 15:
            # a while of silence, in which it serves itself
            now += 20 * S
            engine.timer(now)
        now += S
        engine.timer(now)
        octets = peer.announce(sequence_id=second)
        tlv = bytes.fromhex("8009 0016 05 00 00000001")
        whole = octets[:2] + (len(octets) + 26).to_bytes(2, "big") + octets[4:] + tlv
        icv = store.icv(5, 1, whole)
        engine.receive("p1", whole + (icv if second % 3 else bytes(16)), None, "10.0.0.2", now)
    engine.close_trace(now)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "secured.trace"
    recorded(path)
    return path


def test_it_replays_without_keys(trace: Path) -> None:
    result = replay(str(trace))
    assert result.identical
    assert result.complete
    assert result.counts["secure"] == 1
    verdicts = [r[2] for _, r in read_trace(str(trace)) if r[0] == "mac"]
    assert sum(answers == [True] for answers in verdicts) == 20
    assert sum(answers == [False] for answers in verdicts) == 10


def test_the_key_is_not_in_it(trace: Path) -> None:
    text = trace.read_text()
    assert SECRET not in text
    assert bytes.fromhex(SECRET).decode() not in text
    assert '"SHA256-128"' in text  # what is said of the key instead


def _changed(trace: Path, path: Path, kind: str, change: object) -> Path:
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    found = [line for line in lines if line[0] == "mac" and line[2] == kind]
    found[-1][3] = change
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_an_icv_that_was_not_sent_is_a_difference(trace: Path, tmp_path: Path) -> None:
    engine_sent = [r for _, r in read_trace(str(trace)) if r[0] == "mac" and isinstance(r[2][0], str)]
    if not engine_sent:
        pytest.fail("the recorded engine has signed nothing")
    result = replay(str(_changed(trace, tmp_path / "x", "icv", "00" * 16)))
    assert not result.identical


def test_a_damaged_answer_is_refused_with_its_line(trace: Path, tmp_path: Path) -> None:
    for change in ("yes", 1, None):
        with pytest.raises(TraceError, match="'mac' is followed by"):
            replay(str(_changed(trace, tmp_path / "x", "valid", change)))

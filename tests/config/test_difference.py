"""Two sites compared: what is said, what a running node can take on, and what it has then."""

from __future__ import annotations

from typing import Any

import pytest

from ptpstack.config.difference import Change, differences, settings_of, taken_on, who_comes, who_goes
from ptpstack.config.load import loads

SITE = """
[node]
{node}
[[clock]]
type = "simulated"
{clock}
[[instance]]
name = "a"
profile = "unrestricted"
{instance}
[instance.servo]
{servo}
[[instance.port]]
interface = "eth1"
{port}
[[instance.port]]
interface = "eth2"
{other}
{more}
"""
KEYS = ("node", "clock", "instance", "servo", "port", "other", "more")
SECOND = '[[instance]]\nname = "b"\ndomain = 7\n[[instance.port]]\ninterface = "eth1"\n'


def site(**parts: Any) -> Any:
    return loads(SITE.format(**{key: parts.get(key, "") for key in KEYS}))


def changed(**parts: Any) -> list[Change]:
    return differences(site(), site(**parts))


def test_the_same_site_has_no_difference() -> None:
    assert changed() == []
    # written out, or left to its default
    assert changed(port="log_sync_interval = 0", instance="priority1 = 128") == []


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"instance": "priority2 = 9"}, "instance a: priority2 128 -> 9"),
        ({"port": "log_sync_interval = -3"}, "instance a, port 1 (eth1/udp4): log_sync_interval 0 (1 s) -> -3 (1/8 s)"),
        ({"other": "announce_receipt_timeout = 5"}, "port 2 (eth2/udp4): announce_receipt_timeout 3 intervals -> 5"),
        ({"port": 'deny_sources = ["10.0.0.1"]'}, 'deny_sources [] -> ["10.0.0.1"]'),
        ({"port": "limit_delay_req = 100"}, "limit_delay_req 0 1/s -> 100 1/s"),
        ({"node": 'log_level = "debug"'}, 'node: log_level "info" -> "debug"'),
    ],
)
def test_what_can_be_taken_on(parts: dict[str, str], words: str) -> None:
    (change,) = changed(**parts)
    assert words in change.words
    assert change.live
    assert taken_on(site(), site(**parts), changed(**parts)) == site(**parts)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"node": 'name = "other"'}, 'node: name "ptpstack" -> "other"'),
        ({"clock": 'oscillator = "ocxo"'}, 'clock clock: oscillator "tcxo" -> "ocxo"'),
        ({"instance": "domain = 3"}, "instance a: domain 0 -> 3"),
        ({"servo": 'type = "pi"'}, 'instance a, servo: type "estimator" -> "pi"'),
        ({"port": "delay_asymmetry_ns = 5.0"}, "delay_asymmetry_ns 0.0 ns -> 5.0 ns"),
        ({"port": 'stamping = "software"'}, 'stamping "auto" -> "software"'),
        ({"more": '[[instance.port]]\ninterface = "eth3"'}, "instance a, port eth3/udp4: added"),
    ],
)
def test_what_needs_a_restart_says_why(parts: dict[str, str], words: str) -> None:
    changes = changed(**parts)
    (change,) = [c for c in changes if words in c.words]
    assert not change.live
    assert change.why
    assert settings_of(changes) == {}
    assert taken_on(site(), site(**parts), changed(**parts)) == site()
    assert set(change.as_dict()) == {"where", "key", "old", "new", "live", "why", "words"}


def test_a_mixed_change_is_taken_on_as_far_as_it_goes() -> None:
    parts = {"port": "log_sync_interval = -3\nttl = 4", "instance": "priority1 = 7\nmax_steps_removed = 9"}
    changes = changed(**parts)
    assert settings_of(changes) == {"a": {"priority1": 7, "ports": {"1": {"log_sync_interval": -3}}}}
    middle = taken_on(site(), site(**parts), changes)
    left = differences(middle, site(**parts))
    assert {(c.key, c.live) for c in left} == {("ttl", False), ("max_steps_removed", False)}


def test_a_client_s_priorities_are_no_setting() -> None:
    text = '[[instance]]\nname = "c"\nclient_only = true\n{}\n[[instance.port]]\ninterface = "eth1"\n'
    changes = differences(loads(text.format("")), loads(text.format("priority1 = 200")))
    assert all(not change.live for change in changes)


def test_ports_in_another_order_are_another_numbering() -> None:
    text = '[[instance]]\nname = "c"\n{}{}'
    one, two = (
        '[[instance.port]]\ninterface = "eth1"\n',
        '[[instance.port]]\ninterface = "eth2"\nlog_sync_interval = -1\n',
    )
    changes = differences(loads(text.format(one, two)), loads(text.format(two, one)))
    assert [change.key for change in changes] == ["order"]
    assert not changes[0].live


def test_tables_that_are_compared_whole_are_not_forgotten() -> None:
    text = '[[transparent]]\nname = "t"\nport = [{{ interface = "eth1" }}, {{ interface = "eth2"{} }}]\n'
    (change,) = differences(loads(text.format("")), loads(text.format(", egress_latency_ns = 5.0")))
    assert (change.where, change.key, change.live) == ("transparent t", "port", False)
    table = '[[instance.acceptable_master]]\nclock_identity = "001b21.fffe.aabbcc"\n'
    assert ("acceptable_master", False) in [(change.key, change.live) for change in changed(more=table)]


TWO = """
[[clock]]
type = "simulated"
[[instance]]
name = "a"
{a}
[[instance.port]]
interface = "eth1"
{between}
[[instance]]
name = "c"
domain = 3
[[instance.port]]
interface = "eth1"
"""
B = '[[instance]]\nname = "b"\ndomain = 5\n{}\n[[instance.port]]\ninterface = "eth2"\n'


def two(between: str = "", a: str = "") -> Any:
    return loads(TWO.format(between=between, a=a))


def test_an_instance_on_a_clock_in_use_comes_and_goes() -> None:
    old, new = two(), two(B.format(""))
    changes = differences(old, new)
    assert [change.words for change in changes] == ["instance b: added"]
    assert (who_comes(changes), who_goes(changes), settings_of(changes)) == (["b"], [], {})
    # at its place in the order
    assert taken_on(old, new, changes) == new
    back = differences(new, old)
    assert [change.words for change in back] == ["instance b: removed"]
    assert (who_comes(back), who_goes(back)) == ([], ["b"])
    assert taken_on(new, old, back) == old


def test_who_gives_a_clock_its_reference_stays_until_a_restart() -> None:
    reference = 'reference = { type = "simulated" }'
    for old, new in ((two(), two(B.format(reference))), (two(B.format(reference)), two())):
        (change,) = differences(old, new)
        assert "its reference is a source of its clock" in change.why
        assert taken_on(old, new, [change]) == old
    # somebody else keeps it
    old, new = two(a=reference), two(B.format(reference), reference)
    assert who_comes(differences(old, new)) == ["b"]


def test_a_clock_that_nobody_uses_is_not_opened_while_running() -> None:
    text = '[[clock]]\nname = "x"\ntype = "simulated"\n[[clock]]\nname = "y"\ntype = "simulated"\n'
    instance = '[[instance]]\nname = "{0}"\nclock = "{1}"\ndomain = {2}\nport = [{{ interface = "eth{2}" }}]\n'
    old = loads(text + instance.format("a", "x", 1))
    changes = differences(old, loads(text + instance.format("a", "x", 1) + instance.format("b", "y", 2)))
    assert ["nobody else uses clock y" in change.why for change in changes] == [True]


def test_nobody_is_left_is_no_change_for_a_running_node() -> None:
    old = loads('[[instance]]\nname = "a"\nport = [{ interface = "eth1" }]\n')
    new = loads('[[instance]]\nname = "b"\nport = [{ interface = "eth1" }]\n')
    assert [change.why for change in differences(old, new)] == ["no instance would stay"] * 2


def test_the_options_of_a_port_of_ieee_802_1as_are_compared_one_by_one() -> None:
    text = '[[instance]]\nprofile = "802-1as-2020"\n[[instance.port]]\ninterface = "eth1"\n[instance.port.gptp]\n'
    (change,) = differences(loads(text + "delay_threshold_ns = 900\n"), loads(text + "delay_threshold_ns = 5000\n"))
    assert change.words == "instance domain0, port 1 (eth1/l2), gptp: delay_threshold_ns 900.0 ns -> 5000.0 ns"
    assert not change.live

"""From settings of linuxptp to a site."""

from __future__ import annotations

from typing import Any

import pytest

from ptpstack.config.load import loads
from ptpstack.linuxptp.importer import Imported, import_settings
from ptpstack.linuxptp.importing import gptp
from ptpstack.linuxptp.reader import parse_config
from ptpstack.linuxptp.settings import Settings, short


def imported(text: str, *interfaces: str, options: str = "") -> Imported:
    file = parse_config(text.encode(), "x.conf")
    return import_settings([Settings(file, interfaces or ("eth0",), [short(letter) for letter in options])])


def document(text: str, *interfaces: str, options: str = "") -> dict[str, Any]:
    result = imported(text, *interfaces, options=options)
    assert not result.refused, result.refused
    loads(result.text)
    return result.document


def test_nothing_said_is_our_own_with_the_sockets_of_linuxptp() -> None:
    assert document("[global]\n") == {
        "node": {"management": "/var/run/ptp4l", "management_read_only": "/var/run/ptp4lro"},
        "clock": [{"name": "clock", "steer": True}],
        "instance": [{"profile": "unrestricted", "port": [{"interface": "eth0"}]}],
    }


@pytest.mark.parametrize(
    ("line", "table", "key", "value"),
    [
        ("domainNumber 24", "instance", "domain", 24),
        ("priority1 1", "instance", "priority1", 1),
        ("clockClass 6", "instance", "clock_class", 6),
        ("clockAccuracy 0x21", "instance", "clock_accuracy", "100 ns"),
        ("slaveOnly 1", "instance", "client_only", True),
        ("clientOnly 1", "instance", "client_only", True),
        ("gmCapable 0", "instance", "client_only", True),
        ("transportSpecific 1", "instance", "sdo_id", 0x100),
        ("path_trace_enabled 1", "instance", "path_trace", True),
        ("dataset_comparison G.8275.x", "instance", "profile", "unrestricted-telecom"),
        ("time_stamping software", "instance", "arb_is", "utc"),
        ("time_stamping software", "port", "stamping", "software"),
        ("network_transport L2", "port", "transport", "l2"),
        ("delay_mechanism Auto", "port", "delay_mechanism", "AUTO"),
        ("serverOnly 1", "port", "server_only", True),
        ("logSyncInterval -3", "port", "log_sync_interval", -3),
        ("delayAsymmetry -7", "port", "delay_asymmetry_ns", -7.0),
        ("step_threshold 0.000001", "servo", "step_threshold_ns", 1000.0),
        ("first_step_threshold 0.1", "servo", "first_step_threshold_ns", 1e8),
        ("max_frequency 1000", "servo", "max_frequency_ppb", 1000.0),
        ("clock_servo linreg", "servo", "type", "linreg"),
        ("clock_servo nullf", "servo", "type", "nullf"),
        ("pi_proportional_const 0.5", "servo", "kp", 0.5),
        ("pi_integral_scale 0.5", "servo", "ki_scale", 0.5),
        ("pi_proportional_exponent -0.5", "servo", "kp_exponent", -0.5),
        ("clock_servo pi\ntime_stamping software", "servo", "time_stamping_noise", "linuxptp-software"),
        ("delay_filter_length 3", "servo", "type", "pi"),
        ("tsproc_mode raw", "servo", "delay_filter_length", 1),
        ("servo_offset_threshold 30", "servo", "lock_threshold_ns", 30.0),
        ("free_running 1", "clock", "steer", False),
        ("phc_index 3", "clock", "device", "/dev/ptp3"),
        ("uds_address /run/x", "node", "management", "/run/x"),
        ("logging_level 7", "node", "log_level", "debug"),
        ("userDescription a;b", "management", "user_description", "a;b"),
        ("power_profile.version 2017", "power", "edition", "2017"),
        ("hybrid_e2e 1", "unicast", "unicast_delay_req", True),
        ("unicast_listen 1", "unicast", "serve", True),
    ],
)
def test_settings_that_go_over(line: str, table: str, key: str, value: object) -> None:
    made = document(f"[global]\n{line}\n")
    instance = made["instance"][0]
    place = {
        "instance": instance,
        "port": instance["port"][0],
        "unicast": instance["port"][0].get("unicast"),
        "clock": made.get("clock", [None])[0],
        "node": made["node"],
    }
    where = place[table] if table in place else instance[table]
    assert where[key] == value


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (
            "follow_up_info 1\nnetwork_transport L2\ndelay_mechanism P2P",
            "transportSpecific" if gptp.built() else "follow_up_info",
        ),
        ("clock_type BC", "clock_type"),
        ("time_stamping legacy", "time_stamping"),
        ("delay_mechanism NONE", "delay_mechanism"),
        ("logSyncInterval -11", "logSyncInterval"),
        ("clockClass 0", "clockClass"),
        ("ptp_dst_ipv4 224.0.1.130", "ptp_dst_ipv4"),
        ("unicast_master_table 1", "unicast_master_table"),
        ("BMCA noop", "BMCA"),
        ("inhibit_announce 1", "inhibit_announce"),
        ("spp 1", "spp"),
        ("step_threshold nan", "step_threshold"),
        ("pi_integral_scale 11", "pi_integral_scale"),
    ],
)
def test_what_we_cannot_do_is_refused_where_it_stands(line: str, key: str) -> None:
    findings = imported(f"[global]\n{line}\n").refused
    # of a default there is no line
    where = 2 if key in line else None
    assert [(f.path.split()[0], f.line) for f in findings] == [(key, where)]


def test_every_setting_has_an_outcome() -> None:
    text = "[global]\npriority1 1\npriority1 2\ntx_timestamp_timeout 5\nclock_class_threshold 7\n"
    text += "ts2phc.pulsewidth 1000000\n"
    result = imported(text)
    assert [(row.setting.line, row.outcome) for row in sorted(result.rows, key=lambda r: r.setting.line or 0)] == [
        (2, "not needed"),
        (3, "kept"),
        (4, "not needed"),
        (5, "differs"),
        (6, "not needed"),
    ]


def test_sections_of_ports() -> None:
    made = document("[global]\nlogSyncInterval 1\n[eth1]\nlogSyncInterval -1\nnetwork_transport UDPv6\n", "eth0")
    assert made["instance"][0]["port"] == [
        {"interface": "eth0", "log_sync_interval": 1},
        {"interface": "eth1", "log_sync_interval": -1, "transport": "udp6"},
    ]


def test_ports_that_differ_where_we_have_one_value() -> None:
    findings = imported("[global]\n[eth0]\ntransportSpecific 1\n[eth1]\n").refused
    assert findings
    assert "different values" in findings[0].reason
    assert findings[0].line == 3


def test_several_files_become_several_instances() -> None:
    sets = [Settings(parse_config(f"[global]\ndomainNumber {n}\n".encode(), f"{n}"), [f"eth{n}"]) for n in range(2)]
    made = import_settings(sets)
    assert not made.refused
    assert [i["port"][0]["interface"] for i in made.document["instance"]] == ["eth0", "eth1"]
    assert len(made.document["clock"]) == 1


@pytest.mark.skipif(not gptp.built(), reason="IEEE 802.1AS is not built")
def test_802_1as() -> None:
    text = "[global]\nfollow_up_info 1\nnetwork_transport L2\ndelay_mechanism P2P\ntransportSpecific 1\n"
    text += "ptp_dst_mac 01:80:C2:00:00:0E\nneighborPropDelayThresh 900\npriority1 248\n"
    made = document(text)["instance"][0]
    assert made["profile"] == "802-1as-2020"
    assert made["port"][0]["gptp"]["delay_threshold_ns"] == 900.0
    assert "sdo_id" not in made
    assert "priority1" not in made
    static = document(text + "BMCA noop\nslaveOnly 1\ninhibit_announce 1\nasCapable true\n")["instance"][0]
    assert (static["profile"], static["port"][0]["desired_state"]) == ("automotive", "slave")
    refused = imported(text.replace("P2P", "E2E")).refused
    assert refused[0].path == "delay_mechanism E2E"

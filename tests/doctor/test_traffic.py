"""The census and its judges, fed with messages: what is rare on a wire, and what must not be called a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ptpstack.doctor.findings import NOTE, WARNING, Finding, by_severity
from ptpstack.doctor.traffic import exchanges, masters, mechanisms, scale
from ptpstack.doctor.traffic.census import MAX_SPEAKERS, Census
from ptpstack.doctor.traffic.expected import Expected
from ptpstack.doctor.traffic.expected import judge as expect
from ptpstack.doctor.traffic.listen import Heard
from ptpstack.timebase.leap import LeapTable
from ptpstack.wire.codec import encode
from ptpstack.wire.encapsulation import PtpPayload
from ptpstack.wire.messages import Announce, DelayReq, DelayResp, FollowUp, Message, PdelayReq, PdelayResp, Sync
from ptpstack.wire.types import ClockQuality, Flag, PortIdentity

NS = 1_000_000_000
NOW_S = 1_795_000_000
TABLE = LeapTable.built_in()
GOOD = Flag.PTP_TIMESCALE | Flag.CURRENT_UTC_OFFSET_VALID | Flag.TIME_TRACEABLE
TIME = scale.Time(TABLE, NOW_S, declared=True)


def identity(number: int) -> PortIdentity:
    return PortIdentity(bytes([2, 0, 0, 0xFF, 0xFE, 0, 0, number]), 1)


class Wire:
    """Hands messages to a census at times of its own."""

    def __init__(self) -> None:
        self.census = Census()

    def say(
        self,
        message: Message,
        at_s: float,
        *,
        interface: str = "eth0",
        transport: str = "UDPv4",
        destination: str = "224.0.1.129",
        outgoing: bool = False,
    ) -> None:
        source = f"10.0.0.{message.source.clock_identity[7]}"
        payload = PtpPayload(encode(message), transport, source, destination)
        arrived = NOW_S * NS + int(at_s * NS)
        self.census.take(Heard(interface, payload, arrived, None, outgoing, f"02:00:00:00:00:{source[-1]:0>2}"))

    def serve(
        self,
        number: int,
        seconds: int = 10,
        *,
        off_s: float = 0.0,
        flags: int = GOOD,
        class_: int = 6,
        follow: Callable[[int], bool] = lambda sequence: True,
        domain: int = 0,
        sdo_id: int = 0,
        minor_version: int = 1,
        one_step: bool = False,
        first: int = 0,
        **how: Any,
    ) -> None:
        me, fields = identity(number), {"domain": domain, "sdo_id": sdo_id, "minor_version": minor_version}
        for second in range(first, first + seconds):
            quality = ClockQuality(class_, 0x21, 0x4E5D)
            self.say(
                Announce(
                    me,
                    second,
                    flags=flags,
                    log_interval=0,
                    current_utc_offset=37,
                    grandmaster=me.clock_identity,
                    quality=quality,
                    **fields,
                ),
                second,
                **how,
            )
            origin = (NOW_S + 37) * NS + int((second + off_s) * NS)
            if one_step:
                self.say(Sync(me, second, log_interval=0, control=0, origin_ns=origin, **fields), second, **how)
                continue
            self.say(Sync(me, second, flags=Flag.TWO_STEP, log_interval=0, control=0, **fields), second, **how)
            if follow(second):
                self.say(FollowUp(me, second, precise_origin_ns=origin, control=2, **fields), second + 0.001, **how)

    def ask(self, number: int, master: int, *, of: int, answered: int, domain: int = 0) -> None:
        me, other = identity(number), identity(master)
        for sequence in range(of):
            self.say(DelayReq(me, sequence, domain=domain, control=1), sequence)
            if sequence < answered:
                self.say(DelayResp(other, sequence, domain=domain, control=3, requesting=me), sequence + 0.01)

    def found(self) -> list[Finding]:
        judges = (masters.judge, exchanges.judge, mechanisms.judge)
        return [f for judge in judges for f in judge(self.census)] + scale.judge(self.census, TIME)


def ids(findings: Iterable[Finding]) -> set[str]:
    return {finding.id for finding in findings}


def bad(findings: Iterable[Finding]) -> set[str]:
    return {finding.id for finding in findings if finding.severity not in ("ok", NOTE)}


def test_a_good_master_and_its_client_are_no_fault() -> None:
    wire = Wire()
    wire.serve(1)
    wire.ask(9, 1, of=10, answered=10)
    assert ids(wire.found()) == {"master-heard", "clients-heard", "time-agrees"}


def test_one_step_is_a_note_and_its_time_is_read() -> None:
    wire = Wire()
    wire.serve(1, one_step=True, off_s=3600)
    assert bad(wire.found()) == {"master-whole-hours-off"}
    assert "one-step" in ids(wire.found())


def test_follow_ups_and_answers_that_are_lost_now_and_then() -> None:
    wire = Wire()
    wire.serve(1, follow=lambda sequence: sequence % 2 == 0)
    wire.ask(9, 1, of=20, answered=8)
    assert bad(wire.found()) == {"follow-ups-lost", "delay-answers-lost"}


def test_the_last_messages_may_lack_their_fellows() -> None:
    wire = Wire()
    wire.serve(1, follow=lambda sequence: sequence < 9)
    wire.ask(9, 1, of=10, answered=9)
    assert bad(wire.found()) == set()


def test_versions_and_classes_and_scales_are_notes() -> None:
    wire = Wire()
    wire.serve(1, minor_version=0, class_=248, flags=0, off_s=-37)
    wire.ask(9, 1, of=10, answered=10)
    found = wire.found()
    assert {"minor-versions", "unvouched-time", "arbitrary-timescale"} <= ids(found)
    assert bad(found) == set()


def test_a_master_that_takes_over_is_no_second_one() -> None:
    wire = Wire()
    wire.serve(1, 10)
    wire.serve(2, 10, first=9)
    assert bad(wire.found()) == set()
    wire.serve(2, 10, first=19)
    wire.serve(1, 10, first=20)
    assert "two-masters" in bad(wire.found())


def test_an_alternate_master_is_none() -> None:
    wire = Wire()
    wire.serve(1)
    for second in range(10):
        alternate = Announce(identity(2), second, flags=GOOD | Flag.ALTERNATE_MASTER, log_interval=0)
        wire.say(alternate, second)
    assert "two-masters" not in ids(wire.found())


def test_when_masters_agree_it_is_this_machine_that_differs() -> None:
    wire = Wire()
    wire.serve(1, off_s=250.0)
    assert bad(wire.found()) == {"master-differs"}
    wire.serve(2, off_s=250.0, domain=4)
    assert bad(wire.found()) == {"this-machine-differs"}
    wire.serve(3, domain=5)
    found = wire.found()
    assert bad(found) == {"master-differs"}
    assert "1 other masters agree with this machine" in next(f for f in found if f.id == "master-differs").evidence


def test_a_master_that_is_off_and_does_not_announce() -> None:
    wire = Wire()
    for second in range(4):
        origin = (NOW_S + 37 + 3600 + second) * NS
        wire.say(Sync(identity(1), second, control=0, origin_ns=origin), second)
    assert "master-whole-hours-off" in bad(wire.found())


def test_a_small_difference_is_a_fault_only_of_a_declared_clock() -> None:
    wire = Wire()
    wire.serve(1, off_s=0.4)
    severities = {
        declared: [f.severity for f in scale.judge(wire.census, scale.Time(TABLE, NOW_S, declared))]
        for declared in (True, False)
    }
    assert severities == {True: [WARNING], False: [NOTE]}


def test_an_expired_table_accuses_nobody() -> None:
    wire = Wire()
    wire.serve(1)
    late = scale.Time(LeapTable(TABLE.entries[:-1], 0, 1, "old"), NOW_S)
    assert bad(scale.judge(wire.census, late)) == {"master-one-second-off"}
    assert [f.severity for f in scale.judge(wire.census, late) if f.id == "utc-offset-wrong"] == [NOTE]


def test_peer_delay_of_a_neighbour_is_ours_to_answer() -> None:
    wire = Wire()
    for sequence in range(6):
        wire.say(PdelayReq(identity(3), sequence), sequence)
    (silent,) = [f for f in wire.found() if f.id == "unanswered-peer-delay"]
    assert silent.severity == NOTE
    for sequence in range(6):
        wire.say(PdelayReq(identity(4), sequence), sequence, outgoing=True)
    assert bad(wire.found()) == {"unanswered-peer-delay"}
    for sequence in range(6, 12):
        for asker, answerer in ((3, 4), (4, 3)):
            wire.say(PdelayReq(identity(asker), sequence), sequence)
            wire.say(PdelayResp(identity(answerer), sequence, requesting=identity(asker)), sequence)
    assert bad(wire.found()) == set()


def test_who_asks_both_ways_is_no_mixture() -> None:
    wire = Wire()
    wire.serve(1)
    wire.ask(9, 1, of=10, answered=10)
    for sequence in range(3):
        wire.say(PdelayReq(identity(9), sequence), sequence)
    assert "mixed-delay-mechanisms" not in ids(wire.found())


def test_unicast_is_nobodys_second_master() -> None:
    wire = Wire()
    wire.serve(1)
    for second in range(10):
        wire.say(Announce(identity(2), second, flags=GOOD | Flag.UNICAST), second, destination="10.0.0.7")
    assert "two-masters" not in ids(wire.found())


def test_gptp_beside_a_default_profile_on_another_transport_is_a_note() -> None:
    wire = Wire()
    wire.serve(1)
    wire.serve(2, sdo_id=0x100, transport="802.3", destination="01:80:c2:00:00:0e")
    found = [f for f in wire.found() if f.id == "mixed-sdo"]
    assert [f.severity for f in found] == [NOTE]


def test_what_was_not_read_in_time_is_not_called_lost() -> None:
    wire = Wire()
    for sequence in range(0, 40, 3):
        wire.say(Sync(identity(1), sequence, flags=Flag.TWO_STEP, control=0), sequence)
    assert "syncs-lost" in ids(exchanges.judge(wire.census))
    wire.census.overrun = 5
    assert "syncs-lost" not in ids(exchanges.judge(wire.census))


def test_a_flood_of_speakers_is_bounded() -> None:
    wire = Wire()
    for number in range(MAX_SPEAKERS + 10):
        stranger = PortIdentity(number.to_bytes(8, "big"), 1)
        announce = Announce(stranger, 0, grandmaster=bytes(8))
        payload = PtpPayload(encode(announce), "UDPv4", "10.0.0.66", "224.0.1.129")
        wire.census.take(Heard("eth0", payload, NOW_S * NS, None, False, "02:00:00:00:00:66"))
    assert len(wire.census.speakers) == MAX_SPEAKERS
    assert wire.census.unheeded == 10
    found = by_severity(wire.found())
    assert "identity-flood" in bad(found)
    assert len(found) < 200
    assert any(f.subject == "others" and f.evidence.endswith("more like these") for f in found)


def test_what_a_configuration_expects() -> None:
    wire = Wire()
    wire.serve(1)
    wire.ask(9, 1, of=3, answered=3)

    def port(**change: Any) -> Expected:
        fields = {"interface": "eth0", "transport": "udp4", "domain": 0, "sdo_id": 0, "mechanism": "E2E"}
        return Expected(**{**fields, "follows": True, **change})

    def told(**change: Any) -> set[str]:
        return ids(expect(wire.census, (port(**change),)))

    assert told() == set()
    assert told(domain=24) == {"nobody-in-domain"}
    assert told(transport="l2") == {"transport-differs"}
    assert told(sdo_id=0x100) == {"sdo-differs"}
    assert told(mechanism="P2P") == {"delay-mechanism-differs"}
    assert told(interface="eth1") == {"no-master-heard"}
    assert told(domain=24, follows=False) == set()

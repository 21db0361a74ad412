"""Envelopes of our own messages: each gives a frame that is taken apart again, with us as its sender."""

from __future__ import annotations

import pytest

from ptpstack.wire.envelope import close_frame, open_frame
from ptpstack.wire.own_envelope import (
    from_here,
    group_envelope,
    is_group,
    is_open,
    link_local,
    sender_of,
    sent_by,
    transport_of,
)

MAC = bytes.fromhex("021122334455")
MESSAGE = bytes((0x12, 0x02)) + bytes(52)


@pytest.mark.parametrize("transport", ["l2", "udp4", "udp6"])
@pytest.mark.parametrize("event", [True, False])
def test_a_message_of_our_own_is_a_frame_of_its_transport(transport: str, event: bool) -> None:
    envelope = group_envelope(transport, peer_delay=True)
    assert is_open(envelope)
    assert is_group(envelope)
    message = MESSAGE if event else bytes((0x1A,)) + MESSAGE[1:]
    ours = sent_by(envelope, event, MAC, bytes((10, 0, 0, 7)), link_local(MAC))
    frame = close_frame(ours, message)
    assert frame[6:12] == MAC
    if transport != "l2":
        assert frame[-len(message) - 8 :][:4] == (b"\x01\x3f\x01\x3f" if event else b"\x01\x40\x01\x40")
    opened = open_frame(frame)
    assert opened is not None
    assert opened[1] == message
    assert transport_of(opened[0]) == transport
    assert not is_open(opened[0])
    assert sender_of(opened[0]) == "02:11:22:33:44:55"
    # an answer goes where that went, and is ours to sign
    assert is_open(from_here(opened[0]))
    assert from_here(opened[0])[:12] == envelope[:12]


def test_the_groups_differ() -> None:
    for transport in ("l2", "udp4", "udp6"):
        assert group_envelope(transport) != group_envelope(transport, peer_delay=True)


def test_the_address_that_an_interface_makes_of_its_mac() -> None:
    assert link_local(MAC).hex() == "fe80000000000000001122fffe334455"


def test_without_an_ipv4_address_the_link_hears_nobody_and_others_hear_a_link_local_address() -> None:
    for peer_delay, source in ((True, bytes(4)), (False, bytes((169, 254, 0x45, 0x55)))):
        envelope = sent_by(group_envelope("udp4", peer_delay=peer_delay), True, MAC, b"", link_local(MAC))
        assert bytes.fromhex(envelope)[26:30] == source

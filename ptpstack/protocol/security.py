"""Signing what a port sends, verifying what it receives: AUTHENTICATION TLV, immediate processing.

IEEE 1588-2019 16.14; not checked against the text. Octets as linuxptp's (wire/tlvs/security.py).

1. No secret is here: a ``Mac`` computes, and whoever made the engine has it. So no trace and no status can show one.
2. The ICV covers the message from its first octet to the one before the ICV, as it is sent. Where the association
   allows transparent clocks to change correctionField (``allow_mutable``), that field counts as 0.
3. A frame is judged before any handler sees it. Every refusal has a counter of its own.
4. The key that stands last in an association signs, unless the port names another; each of them is accepted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Any, NamedTuple, Protocol

from ptpstack.protocol.options import PortOptions
from ptpstack.protocol.replay_window import ReplayWindow
from ptpstack.wire.messages import Management, Message
from ptpstack.wire.tlvs.security import Authentication
from ptpstack.wire.types import Flag, MessageType

AUTHENTICATION = 0x8009
_TLV = Struct(">HHBBI")
#: of the value, before the ICV: SPP, secParamIndicator, keyID
_FIXED = 6
#: Messages that count for themselves. The others repeat the sequenceId of what they answer, and are good for that only;
#: Follow_Up repeats that of its Sync, one for one.
_COUNTING = frozenset(
    {
        MessageType.SYNC,
        MessageType.FOLLOW_UP,
        MessageType.ANNOUNCE,
        MessageType.DELAY_REQ,
        MessageType.PDELAY_REQ,
        MessageType.SIGNALING,
    }
)
#: actionField GET, SET, COMMAND: not an answer
_ASKING = frozenset({0, 1, 3})


class KeyPolicy(NamedTuple):
    """What may be known of a key."""

    algorithm: str
    icv_octets: int


@dataclass(frozen=True, slots=True)
class Association:
    """A security association without its secrets. ``keys`` in the order of the file: the last one signs."""

    spp: int
    keys: Mapping[int, KeyPolicy]
    #: how late a frame may be, in sequenceIds; 0: replays are not looked for
    seqid_window: int = 3
    allow_mutable: bool = False


class Mac(Protocol):
    """Who holds the secrets. Both methods are asked only for keys of the associations in force."""

    def icv(self, spp: int, key_id: int, octets: bytes) -> bytes: ...

    def valid(self, spp: int, key_id: int, octets: bytes, icv: bytes) -> bool: ...


class Security:
    """What the ports of an engine share: the associations in force, and who computes."""

    def __init__(self) -> None:
        self.associations: dict[int, Association] = {}
        self.mac: Mac | None = None


@dataclass(slots=True)
class KeyUse:
    """How often a key was used by a port."""

    signed: int = 0
    verified: int = 0
    wrong: int = 0


class PortSecurity:
    def __init__(self, shared: Security, options: PortOptions, counters: Counter[str]) -> None:
        assert options.spp is not None
        self._shared = shared
        self.spp = options.spp
        self.change(options)
        self._counters = counters
        self._replays = ReplayWindow()
        #: a frame of this association has been verified
        self.proven = False
        self.use: dict[int, KeyUse] = {}

    def change(self, options: PortOptions) -> None:
        """The port's settings, except ``spp``, from now on."""
        self.wanted_key = options.active_key_id
        self.unauthenticated = options.allow_unauthenticated

    @property
    def association(self) -> Association | None:
        return self._shared.associations.get(self.spp)

    @property
    def signing_key(self) -> int | None:
        """The keyID of what is sent; None: there is no such key, and nothing can be sent."""
        association = self.association
        if association is None or not association.keys:
            return None
        if self.wanted_key is not None:
            return self.wanted_key if self.wanted_key in association.keys else None
        return list(association.keys)[-1]

    def _used(self, key_id: int) -> KeyUse:
        use = self.use.get(key_id)
        if use is None:
            use = self.use[key_id] = KeyUse()
        return use

    # ---- sending ------------------------------------------------------------------------------------------------

    def sign(self, octets: bytes) -> bytes | None:
        """A message (its messageLength octets) with its AUTHENTICATION TLV; None (counted): no key to sign with."""
        association, key_id = self.association, self.signing_key
        mac = self._shared.mac
        if association is None or key_id is None or mac is None:
            self._counters["tx-without-key"] += 1
            return None
        icv_octets = association.keys[key_id].icv_octets
        head = b"".join(
            (
                octets[:2],
                (len(octets) + _TLV.size + icv_octets).to_bytes(2, "big"),
                octets[4:],
                _TLV.pack(AUTHENTICATION, _FIXED + icv_octets, self.spp, 0, key_id),
            )
        )
        self._used(key_id).signed += 1
        return head + mac.icv(self.spp, key_id, _covered(head, association))

    # ---- receiving ----------------------------------------------------------------------------------------------

    def admits(self, message: Message, octets: bytes, memory_ns: int, now: int) -> bool:
        """Whether a frame may be used; counted when not. ``octets`` may go on behind messageLength.

        ``memory_ns``: how long a sender that has fallen silent is remembered.
        """
        tlvs = message.tlvs
        refusal = (
            self._unsigned()
            if not any(tlv.tlv_type == AUTHENTICATION for tlv in tlvs)
            else self._verdict(message, octets, memory_ns, now)
        )
        if refusal is None:
            return True
        self._counters[refusal] += 1
        return False

    def _unsigned(self) -> str | None:
        if self.unauthenticated == "yes" or (self.unauthenticated == "until-first" and not self.proven):
            self._counters["rx-unauthenticated"] += 1
            return None
        return "drop-unauthenticated"

    def _verdict(self, message: Message, octets: bytes, memory_ns: int, now: int) -> str | None:
        """The counter of a refusal, or None."""
        tlv = message.tlvs[-1]
        if not isinstance(tlv, Authentication):
            return "drop-auth-not-last"
        if tlv.spp != self.spp:
            return "drop-auth-spp"
        association, mac = self.association, self._shared.mac
        if association is None or mac is None:
            return "drop-auth-no-association"
        key = association.keys.get(tlv.key_id)
        if key is None:
            return "drop-auth-key"
        if tlv.sec_param_indicator != 0:
            # disclosedKey: delayed processing; sequenceNo, RES: nobody says how long they are
            return "drop-auth-not-immediate"
        if len(tlv.rest) != key.icv_octets:
            return "drop-auth-length"
        end = int.from_bytes(octets[2:4], "big") - key.icv_octets
        use = self._used(tlv.key_id)
        if not mac.valid(self.spp, tlv.key_id, _covered(octets[:end], association), tlv.rest):
            use.wrong += 1
            return "drop-auth-icv"
        if _counts(message) and association.seqid_window:
            stream = (message.source, int(message.type), bool(message.flags & Flag.UNICAST))
            if not self._replays.accept(stream, message.sequence_id, association.seqid_window, memory_ns, now):
                return "drop-auth-replay"
        use.verified += 1
        self.proven = True
        return None

    # ---- views --------------------------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; nothing in it is secret."""
        association = self.association
        keys = {} if association is None else association.keys
        signing = self.signing_key
        return {
            "spp": self.spp,
            "allow_unauthenticated": self.unauthenticated,
            "proven": self.proven,
            "signing_key": signing,
            "keys": [
                {"id": key_id, "algorithm": key.algorithm, "signs": key_id == signing, **_use_as_dict(self.use, key_id)}
                for key_id, key in keys.items()
            ],
        }


def _use_as_dict(uses: Mapping[int, KeyUse], key_id: int) -> dict[str, int]:
    use = uses.get(key_id, KeyUse())
    return {"signed": use.signed, "verified": use.verified, "wrong": use.wrong}


def _covered(octets: bytes, association: Association) -> bytes:
    """What the ICV is made over."""
    return octets[:8] + bytes(8) + octets[16:] if association.allow_mutable else octets


def _counts(message: Message) -> bool:
    if isinstance(message, Management):
        return message.action & 0x0F in _ASKING
    return message.type in _COUNTING


def association_as_dict(association: Association) -> dict[str, Any]:
    """For a trace; ``association_from_dict`` is its inverse. JSON would make texts of the keys of a mapping."""
    return {
        "spp": association.spp,
        "keys": [[key_id, *key] for key_id, key in association.keys.items()],
        "seqid_window": association.seqid_window,
        "allow_mutable": association.allow_mutable,
    }


def association_from_dict(data: Mapping[str, Any]) -> Association:
    """KeyError, TypeError or ValueError when ``data`` is not what ``association_as_dict`` makes."""
    keys = {key_id: KeyPolicy(algorithm, icv_octets) for key_id, algorithm, icv_octets in data["keys"]}
    return Association(data["spp"], keys, data["seqid_window"], data["allow_mutable"])

"""Who holds the secrets of security associations and computes with them (``protocol.security.Mac``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ptpstack.config.sa_file import AssociationEntry, KeyEntry
from ptpstack.protocol.security import Association, KeyPolicy

_Compute = Callable[[bytes], bytes]


def _computer(key: KeyEntry) -> _Compute:
    """HMAC-SHA256 (RFC 2104), cut to the ICV's length from the left, or AES-CMAC (RFC 4493)."""
    secret, length = key.secret, key.algorithm.icv_octets
    if not key.algorithm.cmac:
        # costs some ms, and most nodes have no keys
        from hmac import digest

        return lambda octets: digest(secret, octets, "sha256")[:length]
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.cmac import CMAC

    begun = CMAC(AES(secret))

    def compute(octets: bytes) -> bytes:
        context = begun.copy()
        context.update(octets)
        return context.finalize()

    return compute


class KeyStore:
    """Shows nothing of what it holds. ImportError for an AES key without ``cryptography`` (sa_file finds it before)."""

    def __init__(self, entries: Iterable[AssociationEntry] = ()) -> None:
        self._computers: Mapping[tuple[int, int], _Compute] = {}
        self.associations: tuple[Association, ...] = ()
        self.replace(entries)

    def replace(self, entries: Iterable[AssociationEntry]) -> None:
        """These and no others from now on."""
        from hmac import compare_digest

        self._same = compare_digest
        entries = tuple(entries)
        computers = {(entry.spp, key.key_id): _computer(key) for entry in entries for key in entry.keys.values()}
        self._computers = computers
        self.associations = tuple(
            Association(
                entry.spp,
                {k.key_id: KeyPolicy(k.algorithm.name, k.algorithm.icv_octets) for k in entry.keys.values()},
                entry.seqid_window,
                entry.allow_mutable,
            )
            for entry in entries
        )

    def icv(self, spp: int, key_id: int, octets: bytes) -> bytes:
        return self._computers[spp, key_id](octets)

    def valid(self, spp: int, key_id: int, octets: bytes, icv: bytes) -> bool:
        return self._same(self._computers[spp, key_id](octets), icv)

"""The file of security associations: what is read, what is refused with what words; no secret is ever quoted."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.config import sa_file
from ptpstack.config.findings import ConfigError, UnreadableError
from ptpstack.config.keys import KeyStore
from ptpstack.config.load import loads, parse_site
from ptpstack.config.sa_file import ALGORITHMS, AssociationEntry, KeyEntry, parse_associations, read_associations

GOOD = """\
# keys of the theatres
[security_association]
spp 1
seqid_window 5
allow_mutable 1
  7 SHA256-128 HEX:000102030405060708090a0b0c0d0e0f
  8 sha256 5 ASCII:short

[security_association]
spp 255
1 AES128 B64:AAECAwQFBgcICQoLDA0ODw==
2 SHA256-128 just-a-text-of-enough-length
"""


def test_everything_that_a_file_may_say() -> None:
    found, notes = parse_associations(GOOD.encode(), "sa")
    one, other = found[1], found[255]
    assert (one.seqid_window, one.allow_mutable) == (5, True)
    assert (other.seqid_window, other.allow_mutable) == (3, False)
    assert one.keys[7].secret == bytes(range(16)) == other.keys[1].secret
    assert (one.keys[8].algorithm.name, one.keys[8].secret) == ("SHA256", b"short")
    assert other.keys[2].secret == b"just-a-text-of-enough-length"
    assert len(notes) == 1
    assert "key 8" in notes[0]
    assert "can be guessed" in notes[0]


SECRET = "aVerySecretWord"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", None, "no security association"),
        ("[security_association]\nspp 1\n", None, "spp 1 has no key"),
        (f"[security_association]\n1 SHA256 {SECRET}", 2, "before any spp"),
        (f"[security_association]\nspp 256\n1 SHA256 {SECRET}", 2, "0 to 255"),
        (f"spp 1\nspp 1\n1 SHA256 {SECRET}", 2, "already"),
        (f"spp 1\n1 SHA512 {SECRET}", 2, 'did you mean "SHA256-128"'),
        (f"spp 1\n1 {SECRET}", 2, "not id, algorithm, secret"),
        (f"spp 1\n{SECRET} SHA256 1", 2, "is not understood"),
        (f"spp 1\n1 SHA256 HEX:{SECRET}", 2, "the secret is not HEX"),
        (f"spp 1\n1 SHA256 B64:{SECRET}!", 2, "the secret is not B64"),
        ("spp 1\n1 SHA256 ASCII:", 2, "the secret is empty"),
        (f"spp 1\n1 AES128 {SECRET}", 2, "secret of 16 octets, this has 15"),
        (f"spp 1\n1 SHA256 9 {SECRET}", 2, "has 15 octets, not 9"),
        (f"spp 1\n0 SHA256 {SECRET}", 2, "from 1 to 4294967295"),
        (f"spp 1\n1 SHA256 {SECRET}\n1 SHA256 {SECRET}", 3, "is taken"),
        (f"spp 1\nseqid_window 32768\n1 SHA256 {SECRET}", 2, "0 to 32767"),
        (f"spp 1\nseqnum_length 4\n1 SHA256 {SECRET}", 2, "0 to 0"),
        (f"[global]\nspp 1\n1 SHA256 {SECRET}", 1, "another section"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_without_the_secret(text: str, line: int | None, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_associations(text.encode(), "sa.conf")
    assert words in str(caught.value)
    assert [f.line for f in caught.value.findings] == [line]
    assert SECRET not in str(caught.value)


@given(
    st.text(max_size=200) | st.from_regex(r"(spp [0-9]{1,4}\n[0-9]{1,9} SHA256 ?[A-Z:0-9a-f]*\n){1,3}", fullmatch=True)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        found, _ = parse_associations(text.encode("utf-8", "replace"))
        assert all(entry.keys for entry in found.values())


@pytest.mark.parametrize(
    ("mode", "fine"), [(0o600, True), (0o640, True), (0o400, True), (0o644, False), (0o660, False)]
)
def test_a_file_that_others_can_get_at_is_refused(tmp_path: Path, mode: int, fine: bool) -> None:
    path = tmp_path / "sa"
    path.write_text(GOOD)
    path.chmod(mode)
    if fine:
        assert set(read_associations(str(path))[0]) == {1, 255}
    else:
        with pytest.raises(UnreadableError, match=f"its mode {mode:04o} lets others at it"):
            read_associations(str(path))


def test_a_file_that_is_not_there_or_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, words in (("nowhere", "cannot be read"), ("pipe", "not a regular file")):
        with pytest.raises(UnreadableError, match=words):
            read_associations(str(tmp_path / name))


def test_cmac_without_its_library_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sa_file, "cmac_available", lambda: False)
    with pytest.raises(ConfigError, match=r"AES-CMAC.*not installed.*ptpstack\[security\]"):
        parse_associations(GOOD.encode())
    found, _ = parse_associations(b"spp 1\n1 SHA256 0123456789abcdef")
    assert found[1].keys[1].algorithm.name == "SHA256"


def test_secrets_show_in_no_repr() -> None:
    found, _ = parse_associations(GOOD.encode())
    store = KeyStore(found.values())
    for text in (repr(found), repr(store), repr(store.associations), repr(vars(store))):
        assert "just-a-text" not in text
        assert repr(bytes(range(16))) not in text


def icv(algorithm: str, secret: bytes, octets: bytes) -> str:
    store = KeyStore([AssociationEntry(0, keys={1: KeyEntry(1, ALGORITHMS[algorithm], secret)})])
    result = store.icv(0, 1, octets)
    assert store.valid(0, 1, octets, result)
    assert not store.valid(0, 1, octets + b"\0", result)
    assert not store.valid(0, 1, octets, result[:-1])
    return result.hex()


@pytest.mark.parametrize(
    ("secret", "octets", "digest"),
    [  # RFC 4231, 4.2 to 4.4, 4.7
        (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ],
)
def test_hmac_sha256_is_that_of_rfc_4231(secret: bytes, octets: bytes, digest: str) -> None:
    assert icv("SHA256", secret, octets) == digest
    assert icv("SHA256-128", secret, octets) == digest[:32]


def test_hmac_sha256_128_is_that_of_rfc_4231_4_6() -> None:
    """The vector with a result cut to 128 bits."""
    assert icv("SHA256-128", b"\x0c" * 20, b"Test With Truncation") == "a3b6167473100ee06e0c796c2955552b"


_AES_MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


@pytest.mark.parametrize(
    ("length", "result"),
    [  # RFC 4493, 4
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_aes_cmac_is_that_of_rfc_4493(length: int, result: str) -> None:
    pytest.importorskip("cryptography")
    assert icv("AES128", bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), _AES_MESSAGE[:length]) == result


def test_aes_256_cmac_is_that_of_sp_800_38b() -> None:
    pytest.importorskip("cryptography")
    secret = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    assert icv("AES256", secret, _AES_MESSAGE[:16]) == "28a7023f452e8f82bd4bf28d8c37c35c"


# ---- the keys of a site file -------------------------------------------------------------------------------------

PORT = 'interface = "eth1"'


def site(port: str, node: str = "", instance: str = "") -> str:
    return f"[node]\n{node}\n[[instance]]\n{instance}\n[[instance.port]]\n{PORT}\n{port}\n"


def findings(text: str) -> list[str]:
    return [str(f) for f in parse_site(text)[1]]


def test_a_port_with_its_association() -> None:
    found = loads(site('spp = 4\nactive_key_id = 9\nallow_unauthenticated = "until-first"', 'sa_file = "/etc/sa"'))
    port = found.instances[0].options.ports[0]
    assert (port.spp, port.active_key_id, port.allow_unauthenticated) == (4, 9, "until-first")
    assert found.node.sa_file == "/etc/sa"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (site("spp = 4"), "add sa_file to [node]"),
        (site("spp = 256", 'sa_file = "x"'), "0..255"),
        (site("spp = 4", 'sa_file = "x"', "minor_version = 0"), "AUTHENTICATION is of PTP 2.1"),
        (site("active_key_id = 4"), "the port has no spp"),
        (site("", 'sa_file = "x"'), "no port has an spp"),
        (site('spp = 1\nallow_unauthenticated = "maybe"', 'sa_file = "x"'), "no, until-first, yes"),
    ],
)
def test_contradictions_are_findings(text: str, words: str) -> None:
    assert any(words in finding for finding in findings(text))


def test_check_looks_into_the_file_on_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "sa"
    path.write_text(GOOD)
    path.chmod(0o600)

    def warnings(port: str) -> str:
        return "\n".join(str(f) for f in parse_site(site(port, f'sa_file = "{path}"'), offline=False)[1])

    assert "no association" not in warnings("spp = 255")
    assert "no association with spp 3; the file has spp 1, 255" in warnings("spp = 3")
    assert "active_key_id 3 is no key of spp 255, which has 1, 2" in warnings("spp = 255\nactive_key_id = 3")
    path.chmod(0o644)
    assert "lets others at it" in warnings("spp = 255")
    path.unlink()
    assert "cannot be read" in warnings("spp = 255")

"""Trees, proofs, notes and signatures: RFC 6962's vectors, pymerkle and `cryptography` as oracles."""

from __future__ import annotations

import ast
import base64
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from apps.audit import tlog
from apps.audit.keys import is_signed_by, make_keys, read_keys, retire_keys, rotate_keys, sign
from apps.audit.tree import RightEdge, consistency_path, inclusion_path, peaks_of, range_path
from apps.core.errors import InvalidInput

# The inputs and roots of the reference implementation's own tests (certificate-transparency, merkle_tree_test).
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def nodes_of(leaves: list[bytes]):
    """As the database keeps them."""
    edge = RightEdge()
    kept = {(level, index): node for level, index, node in edge.extend(leaves)}

    def nodes(level: int, first: int, number: int) -> list[bytes]:
        if level == 0:
            return leaves[first : first + number]
        return [kept[level, at] for at in range(first, first + number) if (level, at) in kept]

    return nodes


def test_the_roots_of_the_rfcs_reference_implementation() -> None:
    leaves = [tlog.leaf_hash(entry) for entry in ENTRIES]
    assert tlog.root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for size, root in enumerate(ROOTS, start=1):
        assert tlog.root_of(leaves[:size]).hex() == root
        edge = RightEdge()
        edge.extend(leaves[:size])
        assert edge.root.hex() == root


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=90), st.data())
def test_pymerkle_gives_the_same_roots_however_the_tree_was_grown(
    entries: list[bytes], data: st.DataObject
) -> None:
    oracle = InmemoryTree(algorithm="sha256")
    for entry in entries:
        oracle.append_entry(entry)
    leaves = [tlog.leaf_hash(entry) for entry in entries]
    edge, at = RightEdge(), 0
    while at < len(leaves):
        step = data.draw(st.integers(1, len(leaves) - at))
        edge.extend(leaves[at : at + step])
        at += step
    root = oracle.get_root() if entries else tlog.EMPTY_ROOT
    assert edge.root == tlog.root_of(leaves) == root


def test_right_edges_over_tiles_and_from_kept_nodes() -> None:
    leaves = [tlog.leaf_hash(str(n).encode()) for n in range(70_000)]
    rng = random.Random(7)
    edge, at, kept = RightEdge(), 0, {}
    while at < len(leaves):
        step = min(rng.choice([1, 2, 255, 256, 300, 5000]), len(leaves) - at)
        kept |= {(level, index): node for level, index, node in edge.extend(leaves[at : at + step])}
        at += step
    assert edge.root == tlog.root_of(leaves)
    assert sorted(kept) == [*((8, at) for at in range(70_000 >> 8)), (16, 0)]
    nodes = nodes_of(leaves)
    assert RightEdge(65_900, peaks_of(nodes, 65_900)).root == tlog.root_of(leaves[:65_900])


def test_proofs_hold_and_wrong_ones_do_not() -> None:
    leaves = [tlog.leaf_hash(str(n).encode()) for n in range(700)]
    nodes, rng = nodes_of(leaves), random.Random(3)
    roots = {size: tlog.root_of(leaves[:size]) for size in range(701)}
    for _ in range(400):
        size = rng.randint(1, 700)
        index = rng.randrange(size)
        path = inclusion_path(nodes, index, size)
        assert tlog.verify_inclusion(leaves[index], index, size, path, roots[size])
        assert not tlog.verify_inclusion(leaves[index], index, size, path, roots[size - 1])
        assert not tlog.verify_inclusion(leaves[index - 1], index, size, path, roots[size]) or size == 1
        assert not tlog.verify_inclusion(leaves[index], index, size, [*path, bytes(32)], roots[size])
        assert not path or not tlog.verify_inclusion(leaves[index], index, size, path[:-1], roots[size])
        first = rng.randint(0, size)
        path = consistency_path(nodes, first, size)
        assert tlog.verify_consistency(first, size, path, roots[first], roots[size])
        if 0 < first < size:
            assert not tlog.verify_consistency(first, size, path, roots[first - 1], roots[size])
            assert not tlog.verify_consistency(first, size, path, roots[first], roots[size - 1])
            assert not tlog.verify_consistency(first, size, path[:-1], roots[first], roots[size])
    assert not tlog.verify_inclusion(leaves[0], 5, 5, [], roots[5])


def test_a_tree_that_is_incomplete_says_what_is_missing() -> None:
    leaves = [tlog.leaf_hash(b"x")] * 600
    whole = nodes_of(leaves)
    with pytest.raises(LookupError, match="of level 8 only 0 of 2"):
        inclusion_path(lambda level, first, n: [] if level == 8 else whole(level, first, n), 550, 600)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 95), st.integers(1, 255))
def test_ed25519_judges_as_cryptography_does(message: bytes, at: int, flip: int) -> None:
    """A true signature, and one with a byte changed in key or signature."""
    private = Ed25519PrivateKey.generate()
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert tlog.verify_ed25519(public, message, signature)
    both = bytearray(public + signature)
    both[at] ^= flip
    public, signature = bytes(both[:32]), bytes(both[32:])
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        expected = True
    except (InvalidSignature, ValueError):
        expected = False
    assert tlog.verify_ed25519(public, message, signature) is expected


# RFC 8032, section 7.1: TEST 1, TEST 2, TEST 3
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_ed25519_vectors_of_the_rfc(key: str, message: str, signature: str) -> None:
    assert tlog.verify_ed25519(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))
    assert not tlog.verify_ed25519(
        bytes.fromhex(key), bytes.fromhex(message) + b"x", bytes.fromhex(signature)
    )


def test_ed25519_refuses_a_scalar_that_is_not_reduced() -> None:
    """Otherwise every signature has a second form."""
    key, message, signature = (bytes.fromhex(text) for text in RFC_8032[1])
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(signature[32:], "little") + order
    assert not tlog.verify_ed25519(key, message, signature[:32] + scalar.to_bytes(32, "little"))


def test_the_example_of_the_specification() -> None:
    """A checkpoint as C2SP's tlog-checkpoint shows one."""
    note = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    ).encode()
    checkpoint = tlog.parse_checkpoint(note)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert base64.b64encode(checkpoint.root) == b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    ((name, hint, signature),) = checkpoint.signatures
    assert (name, hint.hex(), len(signature)) == ("example.com/behind-the-sofa", "033de0ae", 64)


def test_a_note_is_signed_by_its_key_and_by_no_other(tmp_path: Path) -> None:
    (signer,) = make_keys(tmp_path / "one", "desk/one")
    (other,) = make_keys(tmp_path / "two", "desk/one")
    root = base64.b64encode(bytes(32)).decode()
    note = sign(f"desk/one\n7\n{root}\nprevious 3 abc\n", [signer])
    checkpoint = tlog.parse_checkpoint(note)
    assert (checkpoint.size, checkpoint.extension("previous"), checkpoint.extension("time")) == (
        7,
        "3 abc",
        None,
    )
    for check in (checkpoint.signed_by, lambda key: is_signed_by(checkpoint, key)):
        assert check(signer.verifier)
        assert not check(other.verifier)
    changed = tlog.parse_checkpoint(note.replace(b"\n7\n", b"\n8\n"))
    assert not changed.signed_by(signer.verifier)
    assert tlog.parse_verifier(str(signer.verifier)) == signer.verifier


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff\n1\n\n",
        b"origin\n1\nAAAA\n\n\xe2\x80\x94 a AAAAAAAA\n",
        b"origin\n01\n" + base64.b64encode(bytes(32)) + b"\n\n\xe2\x80\x94 a AAAAAAAA\n",
        b"origin\n1\n" + base64.b64encode(bytes(32)) + b"\n\n- a AAAAAAAA\n",
        b"origin\n1\n" + base64.b64encode(bytes(32)) + b"\n\n\xe2\x80\x94 a !!!\n",
        b"origin\n1\n" + base64.b64encode(bytes(32)) + b"\n\n\xe2\x80\x94 a AAAAAAAA",
        b"origin\n1\n\n\xe2\x80\x94 a AAAAAAAA\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(note: bytes) -> None:
    with pytest.raises(tlog.Malformed):
        tlog.parse_checkpoint(note)


def test_key_files_are_made_rotated_and_retired(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.key"
    (first,) = make_keys(path, "desk")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InvalidInput, match="--rotate"):
        make_keys(path, "desk")
    second, kept = rotate_keys(path)
    assert (kept.verifier, second.name) == (first.verifier, "desk")
    assert [signer.verifier for signer in read_keys(path)] == [second.verifier, first.verifier]
    assert [signer.verifier for signer in retire_keys(path)] == [second.verifier]


def test_a_key_file_that_is_not_to_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    with pytest.raises(InvalidInput, match="No such file"):
        read_keys(path)
    make_keys(path, "desk")
    text = path.read_text()
    path.chmod(0o644)
    with pytest.raises(InvalidInput, match="chmod 600"):
        read_keys(path)
    path.chmod(0o600)
    path.write_text(text.replace("desk", "disk"))
    with pytest.raises(InvalidInput, match="line 1"):
        read_keys(path)
    with pytest.raises(InvalidInput, match="spaces"):
        make_keys(tmp_path / "other", "two words")


def test_tlog_imports_the_standard_library_alone_and_runs_on_python_3_9(tmp_path: Path) -> None:
    """It travels in evidence reports."""
    source = Path(tlog.__file__)
    for node in ast.walk(ast.parse(source.read_text(), feature_version=(3, 9))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)
    old = shutil.which("python3.9")
    if old is None or subprocess.run([old, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip("no Python 3.9 here to run it with")
    shutil.copy(source, tmp_path / "tlog.py")
    key, message, signature = RFC_8032[2]
    program = f"import tlog; b = bytes.fromhex; assert tlog.verify_ed25519(b('{key}'), b('{message}'), b('{signature}'))"
    subprocess.run(
        [old, "-I", "-c", f"import sys; sys.path.insert(0, '.'); {program}"], cwd=tmp_path, check=True
    )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 300, 600])
def test_a_range_of_leaves_and_what_lies_around_it_give_the_root(size: int) -> None:
    leaves = [tlog.leaf_hash(str(n).encode()) for n in range(size)]

    def nodes(level: int, first: int, number: int) -> list[bytes]:
        width = 1 << level
        return [tlog.root_of(leaves[n * width : (n + 1) * width]) for n in range(first, first + number)]

    root = tlog.root_of(leaves)
    for first, end in {
        (0, size),
        (0, 1),
        (size - 1, size),
        (size // 3, size // 3 + 1),
        (size // 4, size - size // 5),
    }:
        around = range_path(nodes, first, end, size)
        assert tlog.root_around(leaves[first:end], first, size, around) == root, (first, end)
        if around:
            assert tlog.root_around(leaves[first:end], first, size, around[:-1]) is None
        assert tlog.root_around(leaves[first:end], first, size, [*around, root]) is None
        swapped = [tlog.leaf_hash(b"other"), *leaves[first + 1 : end]]
        assert tlog.root_around(swapped, first, size, around) != root
    assert tlog.root_around([], 0, size, []) is None
    assert tlog.root_around(leaves, 1, size, []) is None

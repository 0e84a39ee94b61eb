import json

import pytest

from mlplab.lab.storage.integrity import decode_json, describe_files, encode_json, verify_files


def test_json_with_its_hash_comes_back():
    content = {"b": 1, "a": [0.5, None, "é"]}
    text = encode_json(content, indent=1)
    assert decode_json(text.encode()) == content
    assert list(json.loads(text))[-1] == "sha256"


@pytest.mark.parametrize("damage", [b'"b": 1', b"{", b"\xff"])
def test_damaged_json_is_refused(damage):
    text = encode_json({"b": 1}).encode()
    replaced = {b'"b": 1': text.replace(b'"b": 1', b'"b": 2'), b"{": text[:-5], b"\xff": text.replace(b"b", b"\xff", 1)}
    with pytest.raises((ValueError, KeyError)):
        decode_json(replaced[damage])


def test_files_are_compared_by_size_or_by_content(tmp_path):
    (tmp_path / "one").write_bytes(b"12345")
    (tmp_path / "two").write_bytes(b"")
    files = describe_files(tmp_path)
    assert verify_files(tmp_path, files, thorough=True)
    (tmp_path / "one").write_bytes(b"12346")
    assert verify_files(tmp_path, files, thorough=False)
    assert not verify_files(tmp_path, files, thorough=True)
    (tmp_path / "one").write_bytes(b"1234")
    assert not verify_files(tmp_path, files, thorough=False)
    (tmp_path / "two").unlink()
    with pytest.raises(OSError, match="two"):
        verify_files(tmp_path, {"two": files["two"]}, thorough=False)

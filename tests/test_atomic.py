import os
import subprocess
import sys

import pytest

from mlplab.atomic import UNFINISHED, write_text_whole, write_whole

OLD, NEW = "old content", "new content, which is longer"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text(OLD)
    return path


def test_a_finished_write_replaces_the_file_and_leaves_nothing_else(path):
    write_text_whole(path, NEW)
    assert path.read_text() == NEW
    assert list(path.parent.iterdir()) == [path]


def test_missing_folders_are_made(tmp_path):
    path = tmp_path / "runs" / "exercise6" / "conclusion.md"
    write_text_whole(path, NEW)
    assert path.read_text() == NEW


@pytest.mark.parametrize("text", ["line\nline\n", "line\r\nline\r\n", "ä – 漢\n", ""])
def test_text_is_written_as_it_is_in_utf_8(path, text):
    write_text_whole(path, text)
    assert path.read_bytes() == text.encode()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError, ValueError])
def test_an_interrupted_write_leaves_the_old_file_whole_and_nothing_else(path, interruption):
    def write_half(temporary):
        temporary.write_text(NEW[:5])
        raise interruption

    with pytest.raises(interruption):
        write_whole(path, write_half)
    assert path.read_text() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_until_the_write_is_finished_a_reader_sees_the_old_file(path):
    def look(temporary):
        temporary.write_text(NEW)
        assert path.read_text() == OLD
        assert temporary.parent == path.parent
        assert temporary.name.endswith(UNFINISHED)

    write_whole(path, look)
    assert path.read_text() == NEW


def test_a_killed_process_leaves_the_old_file_whole(path):
    code = (
        "import os, sys; from pathlib import Path; from mlplab.atomic import write_whole\n"
        "write_whole(Path(sys.argv[1]), lambda part: (part.write_text('half'), os._exit(9)))"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 9
    assert path.read_text() == OLD
    leftovers = [p for p in path.parent.iterdir() if p != path]
    assert all(p.name.endswith(UNFINISHED) for p in leftovers)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_are_those_of_any_new_file(path, umask):
    before = os.umask(umask)
    try:
        write_text_whole(path, NEW)
    finally:
        assert os.umask(before) == umask
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask

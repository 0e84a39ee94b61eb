import errno
import os
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from mlplab.utils import atomic
from mlplab.utils.atomic import (
    UNFINISHED,
    is_unfinished,
    remove_unfinished,
    write_folder_whole,
    write_text_whole,
    write_whole,
)

OLD, NEW = "old content", "new content, which is longer"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text(OLD)
    return path


def test_a_finished_write_replaces_the_file_and_leaves_no_other(path):
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
def test_an_interrupted_write_leaves_the_old_file_and_no_other(path, interruption):
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
        "import os, sys; from pathlib import Path; from mlplab.utils.atomic import write_whole\n"
        "write_whole(Path(sys.argv[1]), lambda part: (part.write_text('half'), os._exit(9)))"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 9
    assert path.read_text() == OLD
    leftovers = [p for p in path.parent.iterdir() if p != path]
    assert leftovers
    assert all(is_unfinished(p.name) for p in leftovers)


@pytest.mark.parametrize("name", [f"x{UNFINISHED}", ".x", UNFINISHED[1:]])
def test_names_of_others_are_not_taken_for_unfinished(name):
    assert not is_unfinished(name)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_are_those_of_any_new_file(path, umask):
    before = os.umask(umask)
    try:
        write_text_whole(path, NEW)
    finally:
        assert os.umask(before) == umask
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def fill(folder):
    for name in "ab":
        (folder / name).write_text(NEW)


@pytest.mark.parametrize("durable", [True, False])
def test_a_finished_folder_replaces_the_old_and_leaves_no_other(tmp_path, durable):
    path = tmp_path / "trials" / "one"
    path.mkdir(parents=True)
    (path / "old").write_text(OLD)
    write_folder_whole(path, fill, durable=durable)
    assert {file.name: file.read_text() for file in path.iterdir()} == {"a": NEW, "b": NEW}
    assert list(path.parent.iterdir()) == [path]


def test_until_a_folder_is_filled_a_reader_sees_nothing_of_it(tmp_path):
    def look(folder):
        fill(folder)
        assert not (tmp_path / "one").exists()
        assert folder.name.endswith(UNFINISHED)

    write_folder_whole(tmp_path / "one", look)
    assert (tmp_path / "one").is_dir()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError, ValueError])
def test_an_interrupted_folder_leaves_the_old_one(tmp_path, interruption):
    def fill_half(folder):
        (folder / "a").write_text(NEW)
        raise interruption

    write_folder_whole(tmp_path / "one", fill)
    with pytest.raises(interruption):
        write_folder_whole(tmp_path / "one", fill_half)
    assert {file.name for file in (tmp_path / "one").iterdir()} == {"a", "b"}
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.fixture
def steps(monkeypatch):
    """What was synced, by its inode, and what was renamed, in their order."""
    found, fsync, replace = [], os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda opened: (found.append(os.fstat(opened).st_ino), fsync(opened)))
    monkeypatch.setattr(Path, "replace", lambda self, to: (found.append("renamed"), replace(self, to)))
    return found


POSIX = pytest.mark.skipif(os.name != "posix", reason="elsewhere a folder cannot be opened")


@POSIX
def test_a_file_is_synced_before_its_rename_and_its_parent_after(path, steps):
    write_text_whole(path, NEW)
    assert steps == [path.stat().st_ino, "renamed", path.parent.stat().st_ino]


@POSIX
def test_a_folder_is_synced_before_its_rename_and_parent_after(tmp_path, steps):
    write_folder_whole(tmp_path / "one", fill)
    *files, folder, renamed, parent = steps
    assert sorted(files) == sorted(file.stat().st_ino for file in (tmp_path / "one").iterdir())
    assert [folder, renamed, parent] == [(tmp_path / "one").stat().st_ino, "renamed", tmp_path.stat().st_ino]


def test_a_folder_that_is_not_durable_waits_for_no_disk(tmp_path, steps):
    write_folder_whole(tmp_path / "one", fill, durable=False)
    assert steps == ["renamed"]


@POSIX
def test_folders_that_are_made_on_the_way_are_on_the_disk_too(tmp_path, steps):
    write_text_whole(tmp_path / "runs" / "new" / "a.txt", NEW)
    assert steps[:2] == [tmp_path.stat().st_ino, (tmp_path / "runs").stat().st_ino]
    assert steps[-1] == (tmp_path / "runs" / "new").stat().st_ino


@POSIX
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_syncs_no_folders_can_be_written_to(path, monkeypatch, number):
    fsync = os.fsync

    def refuse_folders(opened):
        if stat.S_ISDIR(os.fstat(opened).st_mode):
            raise OSError(number, "no such thing")
        fsync(opened)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    write_text_whole(path, NEW)
    assert path.read_text() == NEW


@pytest.mark.parametrize(("held_for", "written"), [(3, True), (10**6, False)])
def test_on_windows_replacing_an_open_file_is_retried_for_a_time(path, monkeypatch, held_for, written):
    attempts, replace = [], Path.replace

    def held(self, to):
        attempts.append(to)
        if len(attempts) <= held_for:
            raise PermissionError(errno.EACCES, "it is open in a spreadsheet")
        return replace(self, to)

    monkeypatch.setattr(Path, "replace", held)
    monkeypatch.setattr(atomic, "_ON_WINDOWS", True)
    monkeypatch.setattr(atomic, "_PATIENCE", 0.5)
    with nullcontext() if written else pytest.raises(PermissionError):
        write_text_whole(path, NEW)
    assert path.read_text() == (NEW if written else OLD)
    assert list(path.parent.iterdir()) == [path]
    assert len(attempts) > 3


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from mlplab.utils.atomic import write_folder_whole, write_whole\n"
        "half = lambda folder: ((folder / 'a').write_text('half'), os._exit(9))\n"
        "write_whole(Path(sys.argv[1]) / 'file', lambda f: write_folder_whole(Path(sys.argv[1]) / 'folder', half))"
    )
    (tmp_path / "mine").write_text("mine")
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 9
    assert not (tmp_path / "folder").exists()
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / f".file{UNFINISHED}").write_text("half")
    remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]

"""Artifacts appear whole, once, under their own hash, and say so when they were touched."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys

import pytest

from cellos_nb.errors import ArtifactError, OutputError
from cellos_nb.execution.artifacts import ArtifactStore

TEXT = b"dispense 50 \xc2\xb5L\n"
SHA256 = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture
def kept(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


def in_a_process(script, *args):
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, args)], capture_output=True, text=True, timeout=60, check=False
    )


def test_an_artifact_lies_under_the_hash_of_what_it_holds(kept):
    artifact = kept.write("protocol.txt", TEXT)
    assert (artifact.sha256, artifact.n_bytes) == (SHA256, len(TEXT))
    assert artifact.ref == f"artifacts/{SHA256}/protocol.txt"
    assert (kept.folder.parent / artifact.ref).read_bytes() == kept.read(SHA256, "protocol.txt") == TEXT


def test_writing_it_again_changes_nothing_not_even_the_time_of_the_file(kept):
    first = kept.write("protocol.txt", TEXT)
    before = kept.path_of(SHA256, "protocol.txt").stat()
    assert kept.write("protocol.txt", TEXT) == first
    after = kept.path_of(SHA256, "protocol.txt").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert [path.name for path in kept.folder.rglob("*")] == [SHA256, "protocol.txt"]


def test_equal_contents_may_have_two_names(kept):
    kept.write("a.txt", TEXT)
    kept.write("b.txt", TEXT)
    assert kept.read(SHA256, "a.txt") == kept.read(SHA256, "b.txt")


@pytest.mark.parametrize(
    "change",
    [
        *(lambda text, k=k: text[:k] + bytes([text[k] ^ 1]) + text[k + 1 :] for k in range(len(TEXT))),
        lambda text: text[:-1],
        lambda text: text + b" ",
        lambda text: b"",
    ],
    ids=[*(f"byte {k}" for k in range(len(TEXT))), "shorter", "longer", "empty"],
)
def test_a_changed_byte_is_found_by_readers_and_writers(kept, change):
    kept.write("protocol.txt", TEXT)
    path = kept.path_of(SHA256, "protocol.txt")
    path.chmod(0o644)
    path.write_bytes(change(TEXT))
    with pytest.raises(ArtifactError, match=r"was altered after it was written .* remove it"):
        kept.read(SHA256, "protocol.txt")
    with pytest.raises(ArtifactError, match="was altered"):
        kept.write("protocol.txt", TEXT)


def test_a_missing_artifact_is_named_with_what_to_do(kept):
    with pytest.raises(ArtifactError, match=r"there is no such artifact\. Restore it"):
        kept.read(SHA256, "protocol.txt")


@pytest.mark.parametrize(
    ("sha256", "name"),
    [
        ("../../etc", "passwd"),
        (SHA256.upper(), "a"),
        (SHA256[:-1], "a"),
        (SHA256, "../a"),
        (SHA256, ".a"),
        (SHA256, ""),
    ],
    ids=["folders", "upper case", "short", "name upward", "hidden name", "no name"],
)
def test_nothing_outside_the_folder_can_be_asked_for(kept, sha256, name):
    with pytest.raises(ArtifactError, match=r"give its 64|no name of an artifact"):
        kept.read(sha256, name)


KILLED = """
import os, signal, sys
from cellos_nb.execution.artifacts import ArtifactStore

def kill_at(event, args):
    if event == "os.rename" and str(args[0]).endswith(".partial"):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(kill_at)
ArtifactStore(sys.argv[1]).write("protocol.txt", bytes.fromhex(sys.argv[2]))
"""


def test_a_writer_killed_before_the_name_was_given_leaves_nothing_that_reads_as_valid(kept):
    done = in_a_process(KILLED, kept.folder, TEXT.hex())
    assert done.returncode == -signal.SIGKILL, done.stderr
    (left,) = (path for path in kept.folder.rglob("*") if path.is_file())
    assert left.name.endswith(".partial")
    with pytest.raises(ArtifactError, match="there is no such artifact"):
        kept.read(SHA256, "protocol.txt")
    kept.write("protocol.txt", TEXT)
    assert kept.read(SHA256, "protocol.txt") == TEXT


FULL = """
import resource, sys
from cellos_nb.errors import OutputError
from cellos_nb.execution.artifacts import ArtifactStore

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    ArtifactStore(sys.argv[1]).write("protocol.txt", b"x" * 1_000_000)
except OutputError as error:
    print(error)
"""


def test_where_no_more_can_be_written_nothing_is_kept(kept):
    done = in_a_process(FULL, kept.folder)
    assert "cannot be written" in done.stdout, done.stderr
    assert "Free disk space" in done.stdout
    assert not [path for path in kept.folder.rglob("*") if path.is_file()]


@pytest.mark.skipif(sys.platform != "linux", reason="/sys is what refuses new files even to root, on Linux")
def test_a_folder_that_cannot_be_written_is_named():
    with pytest.raises(OutputError, match=r"/sys/artifacts/.*cannot be written"):
        ArtifactStore("/sys/artifacts").write("a", b"a")


WRITER = """
import sys
from cellos_nb.execution.artifacts import ArtifactStore
kept = ArtifactStore(sys.argv[1])
sys.stdin.readline()
for k in range(60):
    content = str(k).encode() * 5000
    assert kept.read(kept.write("log.txt", content).sha256, "log.txt") == content
"""


def test_two_processes_may_write_the_same_artifacts_at_once(kept):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(kept.folder)], stdin=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    assert len(list(kept.folder.iterdir())) == 60
    assert len([path for path in kept.folder.rglob("*") if path.is_file()]) == 60

"""The slow disk of the faults is slow for whoever syncs, as long as it is told so, and leaves nothing behind."""

import subprocess
import sys
import time
from pathlib import Path

import slow_disk

SYNCS = """
import os, sys, time
with open(sys.argv[1], "w") as file:
    file.write("x")
    file.flush()
    for sync in (os.fsync, os.fdatasync):
        begun = time.monotonic()
        sync(file.fileno())
        print(time.monotonic() - begun)
"""


def synced(program: Path, file: Path) -> list[float]:
    """The seconds of an fsync and of an fdatasync; the whole output ends only when nobody holds the pipe any more."""
    done = subprocess.run([program, "-c", SYNCS, file], capture_output=True, text=True, check=True, timeout=20)
    return [float(line) for line in done.stdout.split()]


def test_syncs_take_as_much_longer_as_it_says(tmp_path: Path) -> None:
    delay = slow_disk.stand_in(tmp_path / "slow", sys.executable)
    program = tmp_path / "slow" / Path(sys.executable).name
    delay.write_text("0.2")
    assert all(seconds >= 0.2 for seconds in synced(program, tmp_path / "file"))
    assert delay.with_suffix(".held").read_text() == "2"
    delay.unlink()
    synced(program, tmp_path / "file")
    assert delay.with_suffix(".held").read_text() == "2"


def test_nobody_waits_for_a_program_that_has_ended(tmp_path: Path) -> None:
    delay = slow_disk.stand_in(tmp_path / "slow", sys.executable)
    delay.write_text("0.5")
    program = tmp_path / "slow" / Path(sys.executable).name
    begun = time.monotonic()
    with subprocess.Popen([program, "-c", SYNCS, tmp_path / "file"], stdout=subprocess.PIPE) as process:
        while not (tmp_path / "file").exists():
            assert time.monotonic() < begun + 10
        process.kill()
        process.communicate(timeout=5)

"""A slow disk for one process: ``python slow_disk.py DELAY_FILE PROGRAM …`` becomes PROGRAM, whose syncs take longer.

Go makes its system calls itself, so no preloaded library sees etcd's. The kernel does: a seccomp filter stops each
fsync(2) and fdatasync(2), and asks the process at the other end of its listener (seccomp_unotify(2)). That one waits
for as many seconds as DELAY_FILE says at that moment, one sync after the other as a disk would; then the call goes on.
It takes neither dm-delay nor a file system of our own. How many syncs were held up stands in DELAY_FILE with the suffix
``.held``.

The process that waits has no filter; it ends when nobody is left who has one.
"""

import ctypes
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

SECCOMP, FSYNC, FDATASYNC = {"x86_64": (317, 74, 75), "aarch64": (277, 82, 83)}[platform.machine()]
SET_MODE_FILTER, NEW_LISTENER = 1, 8
NO_NEW_PRIVS = 38
ASK, ALLOW = 0x7FC00000, 0x7FFF0000
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
NOTICE, ANSWER = struct.Struct("=QII64s"), struct.Struct("=QqiI")
RECEIVE, SEND = 0xC0502100, 0xC0182101
GO_ON = 1


class Filter(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def listener() -> int:
    """Installs the filter in this process and in what it becomes: the descriptor on which it asks."""
    steps = [
        (LOAD, 0, 0, 0),  # the number of the call
        (JUMP_EQUAL, 1, 0, FSYNC),
        (JUMP_EQUAL, 0, 1, FDATASYNC),
        (RETURN, 0, 0, ASK),
        (RETURN, 0, 0, ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    found = int(
        libc.syscall(SECCOMP, SET_MODE_FILTER, NEW_LISTENER, ctypes.byref(Filter(len(steps), ctypes.addressof(code))))
    )
    if found < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return found


def delay(file: Path) -> float:
    """Seconds for which each sync is held up now; 0 without a file."""
    try:
        return float(file.read_text())
    except (FileNotFoundError, ValueError):
        return 0.0


def wait_on(asking: int, file: Path) -> None:
    """Answers until nobody is left who could ask."""
    held, poll = 0, select.poll()
    poll.register(asking, select.POLLIN)
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll()):
        notice = bytearray(NOTICE.size)
        try:
            fcntl.ioctl(asking, RECEIVE, notice)
            seconds = delay(file)
            if seconds:
                time.sleep(seconds)
                held += 1
                file.with_suffix(".held").write_text(str(held))
            fcntl.ioctl(asking, SEND, ANSWER.pack(NOTICE.unpack(notice)[0], 0, 0, GO_ON))
        except FileNotFoundError:
            continue  # whoever asked is gone


def main(file: Path, program: str, arguments: list[str]) -> None:
    """Becomes the program, beside a process that holds up its syncs."""
    here, there = socket.socketpair()
    if os.fork() == 0:
        here.close()
        for wish in (signal.SIGTERM, signal.SIGINT):
            signal.signal(wish, signal.SIG_IGN)  # the program may want to sync before it ends
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nowhere, number)  # whoever reads what the program says sees its end
        asking = socket.recv_fds(there, 1, 1)[1][0]
        there.close()
        wait_on(asking, file)
        os._exit(0)
    there.close()
    asking = listener()
    socket.send_fds(here, [b"!"], [asking])
    os.close(asking)
    here.close()
    os.execv(program, [program, *arguments])  # noqa: S606 - that is what it is for


def stand_in(folder: Path, program: str) -> Path:
    """A folder for PATH with a program of the same name that is slow when told so: the file that tells it."""
    file = folder / "delay"
    folder.mkdir(exist_ok=True)
    script = folder / Path(program).name
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {__file__} {file} {program} "$@"\n')
    script.chmod(0o755)
    return file


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])

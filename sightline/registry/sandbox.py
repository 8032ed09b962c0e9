"""Walls around a process that tries a model: it computes and reads what it needs, and does nothing else.

No code of a model is executed (`models.sealed`); the walls stand behind that, for a fault in a library that reads what
a model holds. Landlock and seccomp are the kernel's; no Python package for them is well kept, so it is asked directly.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Final

LANDLOCK, SECCOMP, LIMITS = "Landlock", "seccomp", "limits"
WALLS = {
    LANDLOCK: "reads its own files and libraries alone, writes none, sees no other process",
    SECCOMP: "no network, no program, no process, no change of a file",
    LIMITS: "memory, time, and files of 0 bytes",
}
"""Each wall, and what is kept inside by it."""
KEPT = ("HOME", "LANG", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
"""Variables that the process inherits: where libraries lie, and how threads work; none that holds a secret."""
SECONDS = 300
"""Processor time."""
MEMORY: Final = 8 * 2**30
"""Bytes that it may ask for beside eight times the weights: they are held as read, and as doubles."""
SYSTEM = (
    *("/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/localtime"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/dev/null", "/dev/urandom"),
)
"""What libraries read while they are loaded or count cores."""

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
READ_FILE, READ_FOLDER = 1 << 2, 1 << 3
NO_NEW_PRIVILEGES, FILTER, ALL_THREADS = 38, 1, 1
ARCHITECTURES = {"x86_64": (0xC000003E, 317, 56, ((2, 1), (257, 2))), "aarch64": (0xC00000B7, 277, 220, ((56, 2),))}
"""Number of the architecture, of seccomp(2), of clone(2), and of open(2) and openat(2) with where their flags stand."""
DENIED = {
    # execve execveat fork vfork · socket socketpair connect bind sendto sendmsg sendmmsg
    "x86_64": (
        *(59, 322, 57, 58, 41, 53, 42, 49, 44, 46, 307),
        # ptrace process_vm_readv process_vm_writev kill tkill pidfd_open pidfd_getfd pidfd_send_signal
        *(101, 310, 311, 62, 200, 434, 438, 424),
        # io_uring_setup bpf userfaultfd perf_event_open add_key request_key keyctl open_by_handle_at
        *(425, 321, 323, 298, 248, 249, 250, 304),
        # mount umount2 unshare setns pivot_root chroot, modules, kexec, reboot
        *(165, 166, 272, 308, 155, 161, 175, 313, 176, 246, 320, 169),
        # chmod fchmod fchmodat fchmodat2, chown …, times, extended attributes
        *(90, 91, 268, 452, 92, 93, 94, 260, 132, 235, 261, 280, 188, 189, 190, 197, 198, 199),
        # truncate ftruncate fallocate creat, rename …, unlink …, mkdir …, link …, symlink …, mknod …
        *(76, 77, 285, 85, 82, 264, 316, 87, 263, 84, 83, 258, 86, 265, 88, 266, 133, 259),
    ),
    "aarch64": (
        *(221, 281, 198, 199, 203, 200, 206, 211, 269, 117, 270, 271, 129, 130, 434, 438, 424),
        *(425, 280, 282, 241, 217, 218, 219, 265, 40, 39, 97, 268, 41, 51, 105, 273, 106, 104, 294, 142),
        *(52, 53, 452, 55, 54, 88, 5, 6, 7, 14, 15, 16, 45, 46, 47, 38, 276, 35, 34, 37, 36, 33),
    ),
}
UNKNOWN = (435, 437)
"""clone3 and openat2, whose flags a filter cannot see: who is told that there is none takes clone and openat."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
THREAD = 0x10000

_libc = ctypes.CDLL(None, use_errno=True)


def environment() -> dict[str, str]:
    """Variables for a restricted process."""
    path = [os.path.abspath(one) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]  # noqa: PTH100
    # NumPy's own threads would be older than the walls; a model is tried on the CPU.
    ours = {"PYTHONPATH": os.pathsep.join(path), "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return ours | {key: os.environ[key] for key in KEPT if key in os.environ}


def restrict(folder: Path, weights: int = 0) -> list[str]:
    """Let this process do nothing but compute and read, in `folder` and where libraries lie; the walls that stand.

    `weights`: bytes of the weights. It holds for the rest of the process's life.
    """
    for what, limit in (
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, MEMORY + 8 * weights),
    ):
        hard = resource.getrlimit(what)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)  # noqa: PLW2901
        resource.setrlimit(what, (limit, limit))
    if sys.platform != "linux":
        return [LIMITS]
    _libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    stands = {LANDLOCK: _landlock(folder), SECCOMP: _seccomp(), LIMITS: True}
    return [name for name, up in stands.items() if up]


def standing() -> list[str]:
    """The walls that stand around a process of this machine, as such a process finds."""
    command = [sys.executable, "-P", "-B", "-m", __name__]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, cwd="/")
    return [name for name in WALLS if name in done.stdout.split()]


def _landlock(folder: Path) -> bool:
    abi = _libc.syscall(CREATE_RULESET, None, 0, 1)
    if abi < 1:
        return False
    every = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)) - 1
    # Files; from 4 on TCP; from 6 on signals and abstract sockets.
    handled = struct.pack("QQQ", every, 3, 3)[: 8 if abi < 4 else 16 if abi < 6 else 24]  # noqa: PLR2004
    ruleset = _libc.syscall(CREATE_RULESET, handled, len(handled), 0)
    libraries = [sys.prefix, sys.base_prefix, *sys.path, *os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)]
    # An empty entry of a path is the working directory, which is that of the whole system here.
    for place in chain([str(folder)], (one for one in libraries if one and os.path.abspath(one) != os.sep), SYSTEM):  # noqa: PTH100
        if os.path.exists(place):  # noqa: PTH110
            handle = os.open(place, os.O_PATH)
            access = READ_FILE | (READ_FOLDER if os.path.isdir(place) else 0)  # noqa: PTH112
            _libc.syscall(ADD_RULE, ruleset, 1, struct.pack("=Qi", access, handle), 0)
            os.close(handle)
    done = _libc.syscall(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    return bool(done == 0)


def _seccomp() -> bool:
    """A filter for the kernel's small machine: load a word, jump when equal, above or some bits are set, return."""
    if platform.machine() not in ARCHITECTURES:
        return False
    machine, seccomp, clone, opens = ARCHITECTURES[platform.machine()]
    refuse, unknown, kill, allow = 0x50001, 0x50026, 0x80000000, 0x7FFF0000
    # Another machine's calls, and those with the numbers of x32, would go past the list.
    code = [(0x20, 0, 0, 4), (0x15, 1, 0, machine), (6, 0, 0, kill)]
    code += [(0x20, 0, 0, 0), (0x35, 0, 1, 0x40000000), (6, 0, 0, kill)]
    for call in (*DENIED[platform.machine()], *UNKNOWN):
        code += [(0x15, 0, 1, call), (6, 0, 0, unknown if call in UNKNOWN else refuse)]
    code += [(0x15, 0, 4, clone), (0x20, 0, 0, 16), (0x45, 1, 0, THREAD), (6, 0, 0, refuse), (6, 0, 0, allow)]
    for call, place in opens:
        code += [
            (0x15, 0, 4, call),
            (0x20, 0, 0, 16 + 8 * place),
            (0x45, 0, 1, WRITING),
            (6, 0, 0, refuse),
            (6, 0, 0, allow),
        ]
    words = b"".join(struct.pack("HBBI", *one) for one in [*code, (6, 0, 0, allow)])
    buffer = ctypes.create_string_buffer(words)
    program = struct.pack("HxxxxxxP", len(code) + 1, ctypes.addressof(buffer))
    return bool(_libc.syscall(seccomp, FILTER, ALL_THREADS, program) == 0)


if __name__ == "__main__":
    print(*restrict(Path("/")))

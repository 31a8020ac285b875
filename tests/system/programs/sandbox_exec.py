#!/usr/bin/python3
"""Runs a program under those restrictions of the unit file that work without systemd. By prctl there are no new privileges and
no page both writable and executable. By seccomp there is the filter of system calls and address families. A call that the
filter refuses fails with EPERM, as in the unit.

    sandbox_exec.py UNIT PROGRAM [ARGUMENT…]
"""
import ctypes
import os
import re
import struct
import subprocess
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_MDWE = 38, 22, 65
LD, JEQ, RET = 0x20, 0x15, 0x06                 # opcodes of BPF: load a word, jump if equal, return
ALLOW, EPERM, AUDIT_ARCH_X86_64 = 0x7FFF0000, 0x00050001, 0xC000003E
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17}


def settings(unit, key):
    with open(unit, encoding="utf-8") as f:
        return [m[1].split() for m in re.finditer(rf"(?m)^{key}=(.*)$", f.read())]


def members(name):
    """Returns the system calls of a set of systemd, including those of the sets in it."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], check=True, capture_output=True,
                          text=True).stdout
    found = set()
    for line in text.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            found |= members(word)
    return found


def numbers():
    for path in ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"):
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                return {m[1]: int(m[2]) for m in re.finditer(r"#define __NR_(\w+) (\d+)", f.read())}
    sys.exit("sandbox_exec: no unistd_64.h")


def program(unit):
    """Returns the filter: allowed system calls pass, and socket() with an allowed family; all else fails with EPERM."""
    allowed = set()
    for words in settings(unit, "SystemCallFilter"):
        if words[0].startswith("~"):
            for word in [words[0][1:], *words[1:]]:
                allowed -= members(word)
        else:
            for word in words:
                allowed |= members(word)
    known = numbers()
    families = [FAMILIES[f] for words in settings(unit, "RestrictAddressFamilies") for f in words]
    out = [(LD, 0, 0, 4), (JEQ, 1, 0, AUDIT_ARCH_X86_64), (RET, 0, 0, EPERM), (LD, 0, 0, 0)]
    out += [(JEQ, 0, 2 + 2 * len(families), known["socket"]), (LD, 0, 0, 16)]
    for family in families:
        out += [(JEQ, 0, 1, family), (RET, 0, 0, ALLOW)]
    out += [(RET, 0, 0, EPERM)]
    for name in sorted(allowed - {"socket"}):
        if name in known:
            out += [(JEQ, 0, 1, known[name]), (RET, 0, 0, ALLOW)]
    return out + [(RET, 0, 0, EPERM)]


def main():
    unit, command = sys.argv[1], sys.argv[2:]
    code = b"".join(struct.pack("HBBI", *step) for step in program(unit))
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code)
    header = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        sys.exit("sandbox_exec: prctl")
    if settings(unit, "MemoryDenyWriteExecute") == [["yes"]] and libc.prctl(PR_SET_MDWE, 1, 0, 0, 0):
        print("sandbox_exec: this kernel has no PR_SET_MDWE", file=sys.stderr)
    if libc.prctl(PR_SET_SECCOMP, 2, header, 0, 0):
        sys.exit(f"sandbox_exec: seccomp: {os.strerror(ctypes.get_errno())}")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0
"""A file system that does not answer: python3 fuse.py FOLDER NAME TEXT

Mounts at FOLDER (in its own mount namespace, as root) one regular file NAME of TEXT. What is asked
about it is answered, but no read ever is. Who waits for one cannot be killed before this ends.
Prints "mounted" when it is; exits with 77 where the kernel has no FUSE.
"""
import ctypes
import os
import struct
import sys

FORGET, LOOKUP, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, OPENDIR, RELEASEDIR, INTERRUPT, DESTROY, BATCH_FORGET = (
    2, 1, 3, 14, 15, 18, 25, 26, 27, 29, 36, 38, 42)
ROOT, FILE = 1, 2
ENOENT, ENOSYS = 2, 38
HEADER = struct.Struct("=IIQQIIII")	# length, what, unique, node, uid, gid, pid, padding


def attributes(node, length):
    mode = 0o40755 if node == ROOT else 0o100644
    return struct.pack("=QQQQQQIIIIIIIIII", node, length, 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(what, node, body, name, length):
    """The error and the bytes of an answer, or None: there is none."""
    if what in (FORGET, BATCH_FORGET, INTERRUPT, READ):
        return None
    if what == INIT:
        return 0, struct.pack("=IIIIHHIIHHI28x", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, 0)
    if what == LOOKUP:
        if node != ROOT or body.rstrip(b"\0") != name:
            return -ENOENT, b""
        return 0, struct.pack("=QQQQII", FILE, 0, 3600, 3600, 0, 0) + attributes(FILE, length)
    if what == GETATTR:
        return 0, struct.pack("=QII", 3600, 0, 0) + attributes(node, length)
    if what in (OPEN, OPENDIR):
        return 0, struct.pack("=QII", 1, 0, 0)
    return (0 if what in (RELEASE, RELEASEDIR, FLUSH) else -ENOSYS), b""


def main(folder, name, text):
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        print("no FUSE here:", error, file=sys.stderr)
        return 77
    libc = ctypes.CDLL(None, use_errno=True)
    options = "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % device
    if libc.mount(b"fuse", folder.encode(), b"fuse", 0, options.encode()):
        print("cannot mount FUSE here:", os.strerror(ctypes.get_errno()), file=sys.stderr)
        return 77
    print("mounted", flush=True)
    while True:
        try:
            request = os.read(device, 1 << 17)
        except OSError:
            return 0	# it is mounted no more
        length, what, unique, node, *_ = HEADER.unpack_from(request)
        said = answer(what, node, request[HEADER.size:length], name.encode(), len(text))
        if said:
            os.write(device, struct.pack("=IiQ", 16 + len(said[1]), said[0], unique) + said[1])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

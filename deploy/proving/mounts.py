"""File systems of one's own, for disks that are full or read-only; as root, in a mount namespace that ends with the proof."""

import ctypes
import errno
import os

CLONE_NEWNS = 0x20000
MS_RDONLY, MS_REMOUNT, MS_REC, MS_PRIVATE = 1, 32, 16384, 1 << 18
MNT_DETACH = 2
CHUNK = bytes(65536)

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    if function(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{function.__name__}: {os.strerror(error)}")


def own_mounts():
    """From now on mounts are seen by this process and its children alone; to be called before any thread is started.
    False where that is not allowed."""
    try:
        _call(_libc.unshare, CLONE_NEWNS)
        _call(_libc.mount, b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            return False
        raise
    return True


class Disk:
    """A disk of some MB at `path`, a folder of the scratch folder that it makes."""

    def __init__(self, proof, name, megabytes):
        self.path, self.size = proof.scratch / name, f"size={megabytes}m,mode=755"
        self.ballast = self.path / "ballast"
        self.path.mkdir()
        self._mount()
        proof.cleanup.callback(_libc.umount2, str(self.path).encode(), MNT_DETACH)

    def _mount(self, flags=0):
        _call(_libc.mount, b"tmpfs", str(self.path).encode(), b"tmpfs", flags, self.size.encode())

    def fill(self):
        """Takes all the space that is left."""
        with open(self.ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(CHUNK)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self):
        self.ballast.unlink()

    def read_only(self, on=True):
        """Refused by the system while somebody has a file open for writing."""
        self._mount(MS_REMOUNT | (MS_RDONLY if on else 0))

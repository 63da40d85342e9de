"""What kind of file system a folder lies on: those over a network do not keep the promises that files here need
(a lock that holds, a rename that is there at once for everybody, an fsync that reaches the disk)."""

from __future__ import annotations

import re
from pathlib import Path

_NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "glusterfs", "lustre",
    "gpfs", "beegfs", "orangefs", "ocfs2", "gfs2", "davfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph",
    "fuse.ceph-fuse", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.davfs",
})  # fmt: skip
_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")


def network_file_system(folder: Path, mounts: str | None = None) -> str | None:
    """The kind of network file system that ``folder`` (or the nearest folder above it that exists) lies on;
    ``None`` for a local one, and where the kernel does not tell. ``mounts`` is what ``/proc/self/mountinfo``
    holds (proc(5))."""
    if mounts is None:
        if not _MOUNTS.exists():
            return None
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    path = folder.resolve()
    found: tuple[int, str] = (-1, "")
    for line in mounts.splitlines():
        fields, _, more = line.partition(" - ")
        point = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields.split(" ")[4]))
        if path.is_relative_to(point) and len(point.parts) >= found[0]:
            found = (len(point.parts), more.split(" ")[0])
    return found[1] if found[1] in _NETWORK else None

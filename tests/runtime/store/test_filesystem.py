"""Folders on a network file system are found out, whatever they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.store.filesystem import network_file_system

MOUNTS = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:40 / /srv/share rw,relatime shared:1 - nfs4 filer:/export rw,vers=4.2
31 30 8:1 / /srv/share/local rw,relatime - xfs /dev/sdb1 rw
32 27 0:41 / /srv/with\040space rw,relatime - cifs //filer/x rw
33 27 0:42 / /srv/mounted rw,relatime - fuse.sshfs me@there: rw
""".strip()


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/orderly", None),
        ("/srv/share", "nfs4"),
        ("/srv/share/not/made/yet", "nfs4"),
        ("/srv/share/local/data", None),
        ("/srv/shared", None),
        ("/srv/with space/data", "cifs"),
        ("/srv/mounted/data", "fuse.sshfs"),
    ],
)
def test_the_nearest_mount_above_a_folder_says_what_it_lies_on(folder: str, kind: str | None) -> None:
    assert network_file_system(Path(folder), MOUNTS) == kind


def test_a_later_mount_on_the_same_place_counts() -> None:
    again = f"{MOUNTS}\n40 27 0:50 / /srv/share rw - tmpfs tmpfs rw"

    assert network_file_system(Path("/srv/share/x"), again) is None


def test_this_machines_own_mounts_can_be_read(tmp_path: Path) -> None:
    assert network_file_system(tmp_path) is None

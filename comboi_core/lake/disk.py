"""Turns errors of the local disk, also those that DuckDB reports, into errors of the lake."""

from __future__ import annotations

import errno
import os

from comboi_core.domain.errors import LakeUnavailable

_REMEDIES = {
    errno.ENOSPC: "Free space on the disk of {folder}.",
    errno.EDQUOT: "Increase the quota on the disk of {folder}, or free space.",
    errno.EACCES: "Give this user the right to read and write {folder}.",
    errno.EPERM: "Give this user the right to read and write {folder}.",
    errno.EROFS: "Mount the file system of {folder} writable.",
}


def disk_error(error: Exception, *, path: str, lake: str, folder: str) -> LakeUnavailable:
    """Return the error for an error of the operating system or of DuckDB about a local file.

    Args:
        path: The file in the lake.
        lake: Where the lake is.
        folder: The local folder that remedies name.
    """
    number = getattr(error, "errno", None)
    told = os.strerror(number) if number else str(error).splitlines()[0]
    if number is None:
        number = next((code for code in _REMEDIES if os.strerror(code) in str(error)), None)
    remedy = _REMEDIES[number].format(folder=folder) if number in _REMEDIES else None
    return LakeUnavailable(f"{path or 'the folder'} in the lake {lake}: {told}", remedy=remedy, path=path)

"""Files of a kernel's source: from an unpacked tree, or from the archive that a distribution's package brings.

Debian's `linux-source-6.1` installs `/usr/src/linux-source-6.1.tar.xz`.
"""

from __future__ import annotations

import lzma
import tarfile
from pathlib import Path, PurePosixPath

from equiv.errors import InputError, Place


def linux_tree(source: str, wanted: tuple[str, ...], into: Path) -> Path:
    """The folder that holds a kernel tree: `source` itself, or `into`, where the files below `wanted` were unpacked.

    Raises InputError where `source` is neither a folder nor such an archive.
    """
    if Path(source).is_dir():
        return Path(source)
    found = 0
    try:
        with tarfile.open(source, "r|*") as archive:
            for member in archive:
                path = PurePosixPath(*PurePosixPath(member.name).parts[1:])  # all is in one folder
                if not member.isfile() or ".." in path.parts or path.is_absolute():
                    continue
                if any(path.is_relative_to(prefix) for prefix in wanted) and (content := archive.extractfile(member)):
                    target = into / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content.read())
                    found += 1
    except (OSError, EOFError, tarfile.TarError, lzma.LZMAError) as error:
        raise InputError(f"no folder, and no archive of one: {error}", Place(source)) from None
    if not found:
        raise InputError(f"this archive holds nothing of {', '.join(wanted)}", Place(source))
    return into

"""A folder of results, with a file for each block of an input, which can be continued."""

import contextlib
import json
import uuid
from pathlib import Path
from typing import Any, Dict, Iterator, Set

from ..atomic import TEMPORARY, replace_file

MANIFEST = "manifest.json"
#: processes that may die while they write the file of a block
ATTEMPTS = 3


class BlockStore:
    """A folder with a file for each block of an input. A file is there whole or not at all,
    whatever happens to the process that writes it; writing it again changes nothing. Several
    processes, on several computers, may write.

    folder (Path): The folder. Processes on all computers must see it.
    ending (str): The ending of the files.
    """

    def __init__(self, folder: Path, ending: str = ".parquet"):
        self.folder = folder
        self._ending = ending

    def begin(self, settings: Dict[str, Any]) -> None:
        """Begin to fill the folder, or continue with one that was begun with the same settings.

        settings (Dict[str, Any]): All that the files depend on, as JSON.
        RAISES (ValueError): If the folder has other files, or was begun with other settings.
        """
        manifest = self.folder / MANIFEST
        if not manifest.exists():
            if self.folder.exists() and any(self.folder.iterdir()):
                raise ValueError(
                    f"The folder {self.folder} is not empty, and has no {MANIFEST} of a run to "
                    f"continue. Choose another folder."
                )
            with replace_file(manifest) as part:
                part.write_text(json.dumps(settings, indent=2), encoding="utf8")
            return
        known = json.loads(manifest.read_text(encoding="utf8"))
        settings = json.loads(json.dumps(settings))
        for name in sorted({*known, *settings}):
            if known.get(name) != settings.get(name):
                raise ValueError(
                    f"The folder {self.folder} was begun with another '{name}', see {manifest}. To "
                    f"continue, use the same settings, model and input; otherwise choose another "
                    f"folder."
                )
        self.clean()

    def clean(self) -> None:
        """Remove what processes that died have left. No process may be writing."""
        for left in self.folder.glob(f".{TEMPORARY}*"):
            left.unlink(missing_ok=True)

    def path(self, block: int) -> Path:
        """The file of a block."""
        return self.folder / f"part-{block:07}{self._ending}"

    def done(self) -> Set[int]:
        """The blocks that have a file."""
        names = self.folder.glob(f"part-*{self._ending}")
        return {int(path.name[len("part-") : -len(self._ending)]) for path in names}

    @contextlib.contextmanager
    def write(self, block: int) -> Iterator[Path]:
        """Write the file of a block.

        block (int): The block.
        YIELDS (Path): Where to write it. If an error is raised, nothing is left of it.
        RAISES (RuntimeError): If several processes have died while they wrote it.
        """
        path = self.path(block)
        # Only a process that dies leaves its file behind.
        if len([*self.folder.glob(f".{TEMPORARY}*.{path.name}")]) >= ATTEMPTS:
            raise RuntimeError(
                f"{ATTEMPTS} processes died while they wrote {path}. If memory ran out, use fewer "
                f"processes or smaller blocks."
            )
        with replace_file(path, uuid.uuid4().hex) as part:
            part.touch()
            yield part

"""How components are stored."""

from __future__ import annotations

import contextlib
from typing import Any, Dict, Iterable, Iterator, Tuple

import srsly
from spacy.pipeline import TrainablePipe
from spacy.util import ensure_path
from srsly.msgpack import UnpackException

from ..atomic import replace_folder
from ..checksums import check, check_folder, checksum, make_record, write_record

#: raised by data of another form than expected
_LOADING_ERRORS = (ValueError, LookupError, TypeError, AttributeError, UnpackException)


class StoredPipe(TrainablePipe):
    """A component that is saved whole or not at all, with the checksums of its files, which are
    compared before anything is read.

    `cfg` holds the settings, and values that belong to the weights. When a saved component is
    loaded, only the latter (`PERSISTED_CFG`) are read from its `cfg`; settings come from
    config.cfg.
    """

    cfg: Dict[str, Any]
    #: the keys of `cfg` that are saved and loaded with the weights
    PERSISTED_CFG: Tuple[str, ...] = ("labels",)

    def register_extensions(self) -> None:
        """Register the extensions that the settings name. Called wherever the component is made,
        loaded, unpickled or copied, since extensions belong to the process."""

    def to_disk(self, path: Any, *, exclude: Iterable[str] = tuple()) -> None:
        """Save the component to a directory, whole or not at all.

        path (Union[str, Path]): The directory.
        exclude (Iterable[str]): String names of serialization fields to exclude.
        """
        with replace_folder(ensure_path(path)) as folder:
            super().to_disk(folder, exclude=exclude)
            write_record(folder, type(self).__name__)

    def from_disk(self, path: Any, *, exclude: Iterable[str] = tuple()) -> StoredPipe:
        """Load the component from a directory.

        path (Union[str, Path]): The directory.
        exclude (Iterable[str]): String names of serialization fields to exclude.
        RETURNS (StoredPipe): The component.
        RAISES (ValueError): If its files are damaged, of a newer format, or do not fit the config.
        """
        with self._loading(f"from {path}"):
            check_folder(ensure_path(path), type(self).__name__, exclude)
            return super().from_disk(path, exclude=exclude)

    def to_bytes(self, *, exclude: Iterable[str] = tuple()) -> bytes:
        """Serialize the component.

        exclude (Iterable[str]): String names of serialization fields to exclude.
        RETURNS (bytes): The serialized component.
        """
        data = super().to_bytes(exclude=exclude)
        record = make_record(type(self).__name__, {"data": checksum([data])})
        saved: bytes = srsly.msgpack_dumps({**record, "data": data})
        return saved

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = tuple()) -> StoredPipe:
        """Load the component from a bytestring.

        bytes_data (bytes): The serialized component.
        exclude (Iterable[str]): String names of serialization fields to exclude.
        RETURNS (StoredPipe): The component.
        RAISES (ValueError): As `from_disk`.
        """
        with self._loading("from bytes"):
            saved = srsly.msgpack_loads(bytes_data)
            check(saved, type(self).__name__, {"data": checksum([saved["data"]])})
            return super().from_bytes(saved["data"], exclude=exclude)

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        self.register_extensions()

    def _check_loaded(self) -> None:
        """Check that what was loaded belongs together.

        RAISES (ValueError): If it does not.
        """

    @contextlib.contextmanager
    def _loading(self, source: str) -> Iterator[None]:
        """Keep the settings while a saved component is read, and explain errors."""
        settings = {key: value for key, value in self.cfg.items() if key not in self.PERSISTED_CFG}
        try:
            yield
            self.cfg.update(settings)
            self._check_loaded()
        except _LOADING_ERRORS as error:
            problem = str(error).rstrip(".") or "incomplete file"
            raise ValueError(
                f"Can't load the component '{self.name}' {source}: {problem}. "
                f"If the files were copied or downloaded, do so again; else train again."
            ) from error
        self.register_extensions()

"""Keras's file format: a zip archive of two JSON texts and the weights in HDF5.

It is written and read here without Keras: a file names classes, and Keras would make objects of
them. Nothing in a file leads to another file, or to more memory than `EXPANSION` times its bytes.
"""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import open_regular

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MAX_JSON = 2**24  # bytes
EXPANSION = 100  # how many times as large as the file its members may be, zeros compressed
_DATE = (1980, 1, 1, 0, 0, 0)  # of the members: the same network is the same file
_MISSING = "Keras files need h5py: pip install 'fastnn[keras]'"
# What content that lies may lead to while it is read.
_LIES: tuple[type[Exception], ...] = (
    *(ValueError, TypeError, KeyError, AttributeError, RuntimeError, OSError, EOFError),
    *(NotImplementedError, RecursionError, MemoryError, zipfile.BadZipFile),
)


def pack(config: dict[str, Any], metadata: dict[str, Any], arrays: dict[str, NDArray]) -> bytes:
    """Return a file.

    Parameters
    ----------
    config, metadata : dict
        What the JSON texts say.
    arrays : dict of str -> array
        By their paths in the HDF5 file.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in (
            (METADATA, json.dumps(metadata).encode()),
            (CONFIG, json.dumps(config).encode()),
            (WEIGHTS, _to_hdf5(arrays)),
        ):
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)
    return buffer.getvalue()


def _to_hdf5(arrays: dict[str, NDArray]) -> bytes:
    h5py, buffer = _h5py(), io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for path, array in arrays.items():
            file.create_dataset(path, data=array)
    return buffer.getvalue()


class KerasFile:
    """What a file holds: `config`, and arrays for who asks for them by path.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    ValueError
        If it is no Keras file, or asks for much more memory than it has bytes.
    OSError
        If it cannot be read.
    ImportError
        If h5py is missing.
    """

    def __init__(self, path: str | Path):
        h5py = _h5py()
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            try:
                with zipfile.ZipFile(file) as archive:
                    self.config = json.loads(_member(archive, CONFIG, MAX_JSON))
                    content = _member(archive, WEIGHTS, EXPANSION * size)
                self._size = len(content)
                self._file = h5py.File(io.BytesIO(content), "r")
            except _LIES as error:
                raise ValueError(f"{path}: not a whole Keras file: {error}") from None
        if not isinstance(self.config, dict):
            raise ValueError(f"{path}: not a whole Keras file: {CONFIG} is no object")
        self._path, self._h5py = path, h5py

    def names(self, path: str) -> list[str]:
        """Return what stands in a group; nothing if there is no such group."""
        try:
            group = self._at(path)
        except KeyError:
            return []
        return sorted(group) if isinstance(group, self._h5py.Group) else []

    def array(self, path: str) -> NDArray:
        """Return an array.

        Raises
        ------
        ValueError
            If there is none, or it is not plain numbers that stand in the file itself.
        """
        try:
            found = self._at(path)
            if not isinstance(found, self._h5py.Dataset) or found.shape is None:
                raise ValueError("no array")
            if found.external or found.is_virtual or found.id.get_create_plist().get_nfilters():
                raise ValueError("numbers that are elsewhere, or compressed")
            if found.dtype.kind not in "fiu" or found.nbytes > self._size:
                raise ValueError(f"{found.dtype}, {found.nbytes} bytes")
            return np.asarray(found[()])
        except _LIES as error:
            raise ValueError(f"{self._path}: {path} in {WEIGHTS}: {error}") from None

    def _at(self, path: str) -> Any:
        """Return what stands at a path; links, which may lead out of the file, are not followed."""
        node = self._file
        for name in path.split("/"):
            if not isinstance(node, self._h5py.Group):
                raise KeyError(path)
            link = node.get(name, getlink=True)
            if not isinstance(link, self._h5py.HardLink):
                raise KeyError(f"there is no {path}, or it is a link")
            node = node[name]
        return node


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    info = archive.getinfo(name)
    if info.file_size > most:
        raise ValueError(f"{name} has {info.file_size} bytes, more than {most}")
    with archive.open(info) as file:
        content = file.read(most + 1)  # what was said of the size need not be so
    if len(content) != info.file_size:
        raise ValueError(f"{name} has not the bytes that it says")
    return content


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise ImportError(_MISSING) from None
    return h5py

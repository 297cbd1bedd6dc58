"""Data sets: XOR, scikit-learn's digits, MNIST and Fashion-MNIST.

MNIST: Y. LeCun, C. Cortes, C. J. C. Burges. Fashion-MNIST: H. Xiao, K. Rasul, R. Vollgraf,
arXiv:1708.07747. Both come as IDX files (yann.lecun.com/exdb/mnist, "the IDX file format").
"""

import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .files import open_regular

FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
IMAGE_SIDE = 28

_FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
# SHA-256 of the decompressed files: the compressed ones differ between distributors.
_SHA256 = {
    "mnist": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "fashion-mnist": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
_MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "fashion-mnist": (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ),
}
_DEBIAN = {"fashion-mnist": Path("/usr/share/datasets/fashion-mnist")}
_HEADER = {3: 16, 1: 8}  # bytes before the values, by number of dimensions
_LARGEST = 16 + 60_000 * IMAGE_SIDE**2  # bytes of the largest published file
_CHUNK = 2**20


class DataError(ValueError):
    """A data set cannot be found, or a file of it is not what it should be.

    Examples
    --------
    >>> from fastnn.datasets import DataError, read_idx
    >>> _ = open("labels", "w").write("hello")
    >>> try:
    ...     read_idx("labels")
    ... except DataError:
    ...     print("refused")
    refused
    """


class ImageData(NamedTuple):
    """Images and labels, for training and for testing.

    Attributes
    ----------
    X_train : (60000, 784) of uint8; y_train : (60000,) of uint8, 0 to 9
    X_test : (10000, 784) of uint8; y_test : (10000,) of uint8

    Examples
    --------
    >>> import fastnn
    >>> X_train, y_train, X_test, y_test = fastnn.load_mnist()
    >>> len(X_train), len(X_test)
    (60000, 10000)
    """

    X_train: NDArray[np.uint8]
    y_train: NDArray[np.uint8]
    X_test: NDArray[np.uint8]
    y_test: NDArray[np.uint8]


def load_xor() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the corners (0,0), (0,1), (1,0), (1,1) and their classes 0, 1, 1, 0.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> y.tolist()
    [0, 1, 1, 0]
    """
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return X, np.array([0, 1, 1, 0])


def load_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return scikit-learn's 1,797 digits: (1797, 64) from 0 to 16, and labels 0 to 9.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_digits()
    >>> X.shape, X.max().item(), sorted(set(y.tolist()))
    ((1797, 64), 16.0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    from sklearn.datasets import load_digits as load

    return load(return_X_y=True)


def load_mnist() -> ImageData:
    """Return MNIST: see `ImageData`, and `find_file` for where it is looked for.

    Raises
    ------
    DataError
        If it is neither on this machine nor to be downloaded, or a file is damaged.

    Examples
    --------
    >>> import fastnn
    >>> data = fastnn.load_mnist()
    >>> data.X_train.shape, data.X_train.dtype.name, data.y_test.shape
    ((60000, 784), 'uint8', (10000,))
    """
    return _load("mnist")


def load_fashion_mnist() -> ImageData:
    """Return Fashion-MNIST, as `load_mnist`; `FASHION_CLASSES` names the classes.

    Examples
    --------
    >>> import fastnn
    >>> from fastnn.datasets import FASHION_CLASSES
    >>> fastnn.load_fashion_mnist().X_test.shape, FASHION_CLASSES[9]
    ((10000, 784), 'Ankle boot')
    """
    return _load("fashion-mnist")


def _load(dataset: str) -> ImageData:
    arrays = [
        read_idx(find_file(dataset, name), digest)
        for name, digest in zip(_FILES, _SHA256[dataset], strict=True)
    ]
    return ImageData(*(a.reshape(len(a), -1) if a.ndim == 3 else a for a in arrays))


def find_file(dataset: str, name: str) -> Path:
    """Return the path of a file, which is downloaded if need be.

    It is looked for in $FASTNN_DATA/<dataset>, in the user's cache and where Debian's package
    dataset-fashion-mnist puts it; compressed or not. What is downloaded goes to the cache.
    """
    path, folders = _look_for(dataset, name)
    return path or _download(dataset, name, _cache() / dataset, folders)


def is_at_hand(dataset: str) -> bool:
    """Say whether "mnist" or "fashion-mnist" is on this machine: nothing is downloaded."""
    return all(_look_for(dataset, name)[0] for name in _FILES)


def _look_for(dataset: str, name: str) -> tuple[Path | None, list[Path]]:
    """Return the path of a file, None if it is not there, and the folders looked at."""
    folders = [_cache() / dataset, *([_DEBIAN[dataset]] if dataset in _DEBIAN else [])]
    if given := os.environ.get("FASTNN_DATA"):
        folders.insert(0, Path(given) / dataset)
    for folder in folders:
        for ending in ("-ubyte", "-ubyte.gz"):
            if (folder / (name + ending)).is_file():
                return folder / (name + ending), folders
    return None, folders


def read_idx(path: Path, sha256: str | None = None) -> NDArray[np.uint8]:
    """Return the array of bytes in an IDX file, gzip-compressed or not.

    Parameters
    ----------
    sha256 : str, optional
        Of the decompressed content.

    Raises
    ------
    DataError
        If the file is truncated, too long, not an IDX file of bytes, has another SHA-256, or
        cannot be read.
    FileNotFoundError
        If there is none.
    """
    try:
        with open_regular(path) as file:
            content, shape = _read_idx(path, file, sha256 is not None)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); delete it and try again") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(
            f"{path}: its content differs from the published file (SHA-256 "
            f"{hashlib.sha256(content).hexdigest()}, expected {sha256}); delete it and try again"
        )
    values = np.frombuffer(content, np.uint8, offset=len(content) - prod(shape)).reshape(shape)
    values.flags.writeable = False  # data that a typing error cannot change
    return values


def _read_idx(path: Path, file: BinaryIO, is_published: bool) -> tuple[bytearray, tuple[int, ...]]:
    """Return an IDX file's content, header and all, and its shape.

    No more is read, or inflated, than the header promises, and it is taken piece by piece.
    """
    size = os.fstat(file.fileno()).st_size
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream: Any = gzip.GzipFile(fileobj=file) if is_gzip else file
    content = _read_up_to(stream, bytearray(), 4)
    n_dimensions = content[3] if len(content) > 3 else 0
    if content[:3] != b"\0\0\x08" or n_dimensions not in _HEADER:
        raise DataError(
            f"{path}: not an IDX file of bytes (it begins with {content.hex() or 'nothing'}, "
            "expected 00000803 for images or 00000801 for labels); delete it and try again"
        )
    header = _HEADER[n_dimensions]
    _read_up_to(stream, content, header)
    # Python integers: a header of nonsense cannot overflow.
    shape = tuple(int.from_bytes(content[at : at + 4]) for at in range(4, header, 4))
    promised = header + prod(shape)
    if 0 in shape and len(content) == header:
        raise DataError(f"{path}: its header promises no values: {shape}")
    if is_published and promised > _LARGEST:
        raise DataError(
            f"{path}: its header promises {shape} values, more than any published file has; "
            "delete it and try again"
        )
    if is_gzip or promised <= size:
        _read_up_to(stream, content, promised + 1)  # to the end, where gzip has its checksum
    if len(content) != promised:
        raise DataError(
            f"{path}: {len(content) if is_gzip else size} bytes, where its header promises {shape} "
            f"values after {header} bytes: truncated or too long; delete it and try again"
        )
    return content, shape


def _read_up_to(stream: BinaryIO, content: bytearray, size: int) -> bytearray:
    """Read on until there are so many bytes, if the stream has them."""
    while len(content) < size:
        chunk = stream.read(min(_CHUNK, size - len(content)))
        if not chunk:
            break
        content += chunk
    return content


def _cache() -> Path:
    import pooch

    return Path(pooch.os_cache("fastnn"))


def _download(dataset: str, name: str, cache: Path, searched: list[Path]) -> Path:
    """Fetch a file into the cache: checked first, then moved there in one step."""
    import pooch

    digest = _SHA256[dataset][_FILES.index(name)]
    target = cache / f"{name}-ubyte.gz"
    failures, part = [], target
    for mirror in _MIRRORS[dataset]:
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                part = Path(folder, target.name)
                download = pooch.HTTPDownloader(
                    progressbar=_is_terminal(), timeout=30, hooks={"response": _guard}
                )
                download(mirror + target.name, str(part), None)
                read_idx(part, digest)
                os.replace(part, target)
            return target
        except (OSError, ValueError) as error:  # no network, no such file, damaged on the way
            reason = str(error).removeprefix(f"{part}: ").splitlines()[0]
            failures.append(f"  {mirror}: {reason[:150]}")
    places = "\n".join(f"  {folder}" for folder in searched)
    debian = ", or 'apt install dataset-fashion-mnist'" if dataset in _DEBIAN else ""
    raise DataError(
        f"{dataset}: found no file {name}-ubyte[.gz] in\n{places}\n"
        "and could not download it:\n" + "\n".join(failures) + "\n"
        f"Ways to get it: connect to a network and try again; or put the four files into a folder "
        f"DIR/{dataset} and set FASTNN_DATA=DIR{debian}."
    )


def _guard(response: Any, **_: Any) -> None:
    """Make a response of `requests`, redirections too, fail if not encrypted, or if too large.

    Raises
    ------
    OSError
    """
    if not response.url.startswith("https://"):
        raise OSError(f"redirected to {response.url}; expected https")
    read = response.iter_content

    def bounded(*arguments: Any, **options: Any) -> Iterator[bytes]:
        n = 0
        for chunk in read(*arguments, **options):
            n += len(chunk)
            if n > _LARGEST:
                raise OSError(f"more than {_LARGEST} bytes, which no published file has")
            yield chunk

    response.iter_content = bounded


def _is_terminal() -> bool:
    import sys

    return sys.stderr.isatty()

"""Readers of image files: every kind of damage, and a cache that never holds half a file."""

import gzip
import struct

import numpy as np
import pytest

from fastnn import datasets
from fastnn.datasets import DataError, read_idx

IMAGES = struct.pack(">4sIII", b"\0\0\x08\x03", 2, 3, 4) + bytes(range(24))
LABELS = struct.pack(">4sI", b"\0\0\x08\x01", 5) + bytes(range(5))


@pytest.mark.parametrize("wrap", [bytes, gzip.compress])
def test_reads_both_kinds(tmp_path, wrap):
    path = tmp_path / "file"
    path.write_bytes(wrap(IMAGES))
    assert (read_idx(path) == np.arange(24).reshape(2, 3, 4)).all()
    path.write_bytes(wrap(LABELS))
    assert (read_idx(path) == np.arange(5)).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\x89PNG and so on", "not an IDX file of bytes .* begins with 89504e47"),
        (b"\0\0\x0d\x03" + IMAGES[4:], "not an IDX file of bytes"),
        (IMAGES[:10], "truncated or too long"),
        (IMAGES[:-1], "39 bytes, where its header promises .*truncated or too long"),
        (IMAGES + b"x", "41 bytes, .*too long"),
        (gzip.compress(IMAGES)[:-9], "damaged gzip file"),
        (gzip.compress(IMAGES)[:20] + b"????????", "damaged gzip file"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read_idx(path)
    assert str(path) in str(error.value)


def test_wrong_content(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(IMAGES)
    with pytest.raises(DataError, match="differs from the published file"):
        read_idx(path, "0" * 64)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A machine without the data."""
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path / "given"))
    monkeypatch.setattr(datasets, "_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(datasets, "_DEBIAN", {})
    return tmp_path


def test_folder_of_the_user_comes_first(nowhere):
    folder = nowhere / "given" / "mnist"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"damaged")
    with pytest.raises(
        DataError, match=r"given/mnist/train-images-idx3-ubyte\.gz: not an IDX file"
    ):
        datasets.load_mnist()


def fake_mirrors(monkeypatch, contents):
    """Make downloads write the given contents, one after the other; None fails."""
    import pooch

    class Downloader:
        def __init__(self, **options):
            pass

        def __call__(self, url, output_file, _pooch):
            content = contents.pop(0)
            if content is None:
                raise OSError("no route to host")
            with open(output_file, "wb") as file:
                file.write(content)

    monkeypatch.setattr(pooch, "HTTPDownloader", Downloader)


def test_no_network_and_no_file(nowhere, monkeypatch):
    fake_mirrors(monkeypatch, [None, None])
    with pytest.raises(DataError) as error:
        datasets.load_fashion_mnist()
    message = str(error.value)
    assert "FASTNN_DATA=DIR" in message
    assert "no route to host" in message
    assert str(nowhere / "cache") in message


def test_damaged_downloads_leave_nothing_behind(nowhere, monkeypatch):
    fake_mirrors(monkeypatch, [gzip.compress(IMAGES)[:-5], gzip.compress(IMAGES)])
    with pytest.raises(DataError, match=r"damaged gzip(.|\n)*differs from the published"):
        datasets.load_mnist()
    assert list((nowhere / "cache" / "mnist").iterdir()) == []


def test_second_mirror_serves(nowhere, monkeypatch):
    digest = datasets.hashlib.sha256(IMAGES).hexdigest()
    monkeypatch.setitem(datasets._SHA256, "mnist", (digest,) * 4)
    fake_mirrors(monkeypatch, [None, gzip.compress(IMAGES)])
    path = datasets.find_file("mnist", "train-images-idx3")
    assert path == nowhere / "cache" / "mnist" / "train-images-idx3-ubyte.gz"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_digits_and_xor():
    X, y = datasets.load_digits()
    assert (X.shape, y.shape) == ((1797, 64), (1797,))
    assert datasets.load_xor()[1].tolist() == [0, 1, 1, 0]

"""Readers of image files: every kind of damage, and a cache that never holds half a file."""

import gzip
import http.server
import os
import struct
import threading
import tracemalloc

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


BOMB = gzip.compress(LABELS[:8] + bytes(60_000_000))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (IMAGES + IMAGES, "80 bytes, .*too long"),
        (gzip.compress(IMAGES) * 2, "too long"),
        (gzip.compress(IMAGES + b"x"), "too long"),
        (gzip.compress(IMAGES[:-1]), "truncated"),
        (gzip.compress(IMAGES) + b"garbage", "damaged gzip file"),
        (gzip.compress(IMAGES[:10]), "truncated"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "16 bytes, where its header promises"),
        (gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12), "16 bytes, where its header promises"),
        (struct.pack(">4sIII", b"\0\0\x08\x03", 0, 2**32 - 1, 2**32 - 1), "promises no values"),
        (b"\x1f\x8b", "damaged gzip file"),
        (BOMB, "too long"),
    ],
)
def test_no_more_is_read_than_the_header_promises(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DataError, match=message):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_published_file_is_not_larger_than_any(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(struct.pack(">4sI", b"\0\0\x08\x01", 2**30) + bytes(1000)))
    with pytest.raises(DataError, match="more than any published file"):
        read_idx(path, "0" * 64)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(DataError, match="not a regular file"):
            read_idx(path)
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "none")


def test_the_values_are_read_only(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(IMAGES))
    assert not read_idx(path).flags.writeable


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


class Response:
    """What `requests` gives, as far as it is looked at."""

    url = "https://example.org/file"

    def __init__(self, n_chunks):
        self._n_chunks = n_chunks

    def iter_content(self, chunk_size):
        yield from (bytes(chunk_size) for _ in range(self._n_chunks))


def test_downloads_are_encrypted_and_bounded(nowhere, monkeypatch):
    assert all(url.startswith("https://") for urls in datasets._MIRRORS.values() for url in urls)
    response = Response(3)
    datasets._guard(response)
    assert len(b"".join(response.iter_content(chunk_size=1000))) == 3000
    response = Response(10**9)
    datasets._guard(response)
    with pytest.raises(OSError, match="which no published file has"):
        for _ in response.iter_content(chunk_size=10_000_000):
            pass
    response.url = "http://example.org/file"
    with pytest.raises(OSError, match="expected https"):
        datasets._guard(response)


def test_no_redirection_to_http(nowhere, monkeypatch):
    """A server that cannot be trusted: what it says is not even read."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(gzip.compress(IMAGES))

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        mirror = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setitem(datasets._MIRRORS, "mnist", (mirror,))
        with pytest.raises(DataError, match="expected https"):
            datasets.load_mnist()
        server.shutdown()
    assert list((nowhere / "cache" / "mnist").iterdir()) == []


def test_digits_and_xor():
    X, y = datasets.load_digits()
    assert (X.shape, y.shape) == ((1797, 64), (1797,))
    assert datasets.load_xor()[1].tolist() == [0, 1, 1, 0]

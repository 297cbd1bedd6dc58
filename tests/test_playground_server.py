"""The playground's server: who may ask, requests that mean harm, its end, and many pages."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_to

from fastnn.playground import frames, server, session

HERE = "http://127.0.0.1:8765"


@pytest.fixture
def client():
    with TestClient(server.make_app("secret"), base_url=HERE) as client:
        client.cookies.set("fastnn-8765", "secret")
        yield client


def connect(client, origin=HERE):
    headers = {} if origin is None else {"origin": origin}
    return client.websocket_connect(HERE.replace("http", "ws") + "/socket", headers=headers)


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "5", "{}", '{"id": 1}', '{"do": "go"}', '{"id": true, "do": "go"}'),
        *('{"id": NaN, "do": "go"}', '{"id": 1, "do": "_set"}', '{"id": 1, "do": "__class__"}'),
        '{"id": 1, "do": "go", "epoch": NaN}',
        '{"id": 1, "do": "go", "epoch": Infinity}',
        '{"id": 1, "do": "go", "epoch": 1e999}',
        '{"id": 1, "do": "go", "epoch": -1}',
        '{"id": 1, "do": "go", "epoch": 1.5}',
        '{"id": 1, "do": "go", "epoch": "1"}',
        '{"id": 1, "do": "set", "settings": 5}',
        '{"id": 1, "do": "set", "settings": "data=spirals&hidden=1000000"}',
        '{"id": 1, "do": "set", "settings": "data=spirals&lr=NaN"}',
        '{"id": 1, "do": "race", "epochs": 1e12}',
        '{"id": 1, "do": "race-go"}',
        "[" * 100_000,
        '{"id": 1, "do": "go", "epoch": ' + "9" * 5000 + "}",
        '{"id": 1, "do": "go", "epoch": ' + "9" * 400 + "}",
        '{"id": 1, "do": "race", "epochs": ' + "9" * 400 + "}",
        '{"id": 1, "do": "picture", "lesson": "mnist", "knobs": {}, "lang": "/../x"}',
        '{"id": 1, "do": "check", "lesson": "mnist", "exercise": "1", "answer": "1", "lang": "x"}',
        '{"id": 1, "do": "check", "lesson": "mnist", "exercise": "3", "lang": "en", "answer": "'
        + "[" * 100_000
        + '"}',
        "x" * (session.MOST_BYTES + 1),
    ],
    ids=lambda text: text[:60],
)
def test_a_message_that_is_none_is_answered_by_an_error(text, caplog):
    own = session.Session()
    header, _ = frames.unpack(own.answer(text))
    assert set(header["error"]) == {"en", "zh"}
    assert "recursion" not in header["error"]["en"]
    assert "No such file" not in header["error"]["en"]
    assert not caplog.records  # none is an error of ours
    header, _ = frames.unpack(own.answer('{"id": 2, "do": "set", "settings": "data=xor"}'))
    assert "error" not in header  # and the page lives


def test_without_the_token_nothing_is_served():
    with TestClient(server.make_app("secret"), base_url=HERE) as client:
        for path in ("/", "/static/app.js", "/lessons/", "/socket", "/?token=wrong"):
            answer = client.get(path)
            assert answer.status_code == 403
            assert "token" in answer.text
        with pytest.raises(WebSocketDisconnect) as refused, connect(client):
            pass
        assert refused.value.code == 1008


def test_the_token_becomes_a_cookie():
    with TestClient(server.make_app("secret"), base_url=HERE) as client:
        answer = client.get("/?token=secret&lang=zh", follow_redirects=False)
        assert answer.status_code == 307
        assert answer.headers["location"] == "/?lang=zh"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        page = client.get("/?lang=zh")
        assert page.status_code == 200
        assert '<html lang="zh">' in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://127.0.0.1:9999", "https://127.0.0.1:8765", "null", None],
)
def test_a_page_of_another_origin_cannot_open_a_socket(client, origin):
    with pytest.raises(WebSocketDisconnect) as refused, connect(client, origin):
        pass
    assert refused.value.code == 1008


@pytest.mark.parametrize(
    "host", ["evil.example:8765", "evil.example", "127.0.0.1.evil.example:8765"]
)
def test_another_name_of_this_machine_is_refused(client, host):
    assert client.get("/", headers={"host": host}).status_code == 403
    assert client.get("/", headers={"origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "name",
    ["..%2fserver.py", "%2e%2e/server.py", "../server.py", "nothing.js", "shell.html%00", "a/b"],
)
def test_no_path_leads_out_of_the_static_files(client, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_the_static_files_name_no_outside_address(client):
    folder = Path(server.__file__).parent / "static"
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        outside = re.findall(r"(?:https?|wss?):?//(?!www\.w3\.org/2000/svg|\$\{)[^\s\"'`]*", text)
        assert not outside, path
        if path.suffix != ".html":
            assert client.get(f"/static/{path.name}").status_code == 200


def test_other_methods_and_bodies_are_refused(client):
    assert client.post("/", content=b"x" * 10_000_000).status_code == 405
    assert client.put("/static/app.js", content=b"x").status_code == 405


def test_of_200_pages_the_last_are_refused_and_the_first_live(client):
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(client)) for _ in range(server.MOST_SESSIONS)]
        for _ in range(200 - server.MOST_SESSIONS):
            with connect(client) as refused, pytest.raises(WebSocketDisconnect) as end:
                refused.receive_bytes()
            assert end.value.code == 1013
        for number, own in enumerate(sockets):
            own.send_text(json.dumps({"id": number, "do": "set", "settings": "data=xor"}))
        for number, own in enumerate(sockets):
            assert frames.unpack(own.receive_bytes())[0]["id"] == number
    with connect(client) as again:
        again.send_text('{"id": 1, "do": "choices"}')
        assert frames.unpack(again.receive_bytes())[0]["id"] == 1


# The program itself


@pytest.fixture
def started():
    """Start the server as a user does; give its address and process."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "fastnn", "playground", "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    line = process.stdout.readline()
    yield re.search(r"http://\S+", line)[0], process
    process.kill()
    process.wait()
    process.stdout.close()


def test_ctrl_c_ends_the_server_and_leaves_nothing_behind(started):
    address, process = started
    port = int(re.search(r":(\d+)/", address)[1])
    token = address.partition("token=")[2]
    host = f"127.0.0.1:{port}"
    jar = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    for _ in range(50):
        try:
            assert b"fastnn" in jar.open(address).read()
            break
        except urllib.error.URLError:
            time.sleep(0.1)
    cookie = {"Cookie": f"fastnn-{port}={token}"}
    given = {"origin": f"http://{host}", "additional_headers": cookie}
    with connect_to(
        f"ws://{host}/socket", origin=f"http://{host}", additional_headers=cookie
    ) as own:
        own.send('{"id": 1, "do": "set", "settings": "data=spirals&epoch=500"}')
        assert frames.unpack(own.recv())[0]["id"] == 1
        # 1 GB of CSV: more than a message may have, and the server closes before it has come.
        sent = []
        with pytest.raises(ConnectionClosed), connect_to(f"ws://{host}/socket", **given) as big:
            big.send(sent.append(n) or "x," * 500_000 for n in range(1000))
        assert len(sent) < 500
        own.send('{"id": 2, "do": "go", "epoch": 1}')  # the other page lives
        assert frames.unpack(own.recv())[0]["id"] == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(600) == 0
    with socket.socket() as listener:  # the port is free
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    assert process.stdout.read().strip().splitlines() == ["Ctrl-C ends it", "ended"]


def test_one_training_does_not_block_another_page(client):
    """While one page trains on the slowest back end, others are answered."""
    end = threading.Event()
    counts = []

    def work_on(settings):
        own, n = session.Session(), 0
        own.answer(json.dumps({"id": 0, "do": "set", "settings": settings}))
        while not end.is_set():
            own.answer(json.dumps({"id": 1, "do": "go", "epoch": 1000 + n}))
            n += 1
        counts.append(n)

    slow = "data=spirals&n=500&hidden=16,16&backend=python"
    threads = [threading.Thread(target=work_on, args=(slow,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    with connect(client) as own:
        own.send_text(json.dumps({"id": 1, "do": "set", "settings": "data=xor&epoch=5"}))
        own.receive_bytes()
        for number in range(2, 12):
            own.send_text(json.dumps({"id": number, "do": "go", "epoch": number}))
            assert frames.unpack(own.receive_bytes())[0]["epoch"] == number
    end.set()
    for thread in threads:
        thread.join()
    assert min(counts) >= 1

"""The server of a page: who may ask, and the files it serves.

It listens on 127.0.0.1 and answers only who has the token: once in the address that the terminal
shows, then in a cookie. Requests for another host (a name that points here) and sockets of
another origin (a page elsewhere) are refused: a cookie alone would not keep those out.
"""

import importlib
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import resources
from importlib.util import find_spec
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from .pages import page
from .session import LANGUAGES, MOST_BYTES, Session

MOST_SESSIONS = 64
THREADS = 8  # at work for pages at a time; each works for a few hundredths of a second
HOSTS = ("127.0.0.1", "localhost", "[::1]")
KINDS = {
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "html": "text/html",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses what is not for this server, or not from who started it.

    Parameters
    ----------
    app : ASGI application
        That gets the rest.
    token : str
    """

    def __init__(self, app: ASGIApp, token: str):
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(HTTPConnection(scope))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()  # the request to connect
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})
        else:
            await PlainTextResponse(refusal + "\n", 403, HEADERS)(scope, receive, send)

    def _refusal(self, request: HTTPConnection) -> str | None:
        """Say why a request is refused; None if it is not."""
        host = request.headers.get("host", "")
        if host.rpartition(":")[0] not in HOSTS and host not in HOSTS:
            return "This server answers to 127.0.0.1 and localhost only."
        origin = request.headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return "Pages of another origin may not use this server."
        if request.scope["type"] == "websocket" and origin is None:
            return "A socket needs an Origin."
        given = request.query_params.get("token") or request.cookies.get(_cookie(request), "")
        if not secrets.compare_digest(given.encode(), self._token.encode()):
            return (
                "No token, or a wrong one: open the address that the terminal shows.\n"
                "缺少令牌或令牌错误：请打开终端中显示的地址。"
            )
        return None


def make_app(token: str) -> ASGIApp:
    """Return the application.

    Parameters
    ----------
    token : str
        Who has it may use the server.
    """
    sessions: set[Session] = set()
    limiter: list[CapacityLimiter] = []  # made within the event loop

    async def in_thread(work: Callable[[], Any]) -> Any:
        if not limiter:
            limiter.append(CapacityLimiter(THREADS))
        return await to_thread.run_sync(work, limiter=limiter[0])

    async def socket(websocket: WebSocket) -> None:
        if len(sessions) >= MOST_SESSIONS:
            await websocket.accept()
            await websocket.close(1013, "too many pages are open")
            return
        session = Session()
        sessions.add(session)
        try:
            await websocket.accept()
            await _converse(websocket, session, in_thread)
        except WebSocketDisconnect:
            return  # the page was closed
        finally:
            sessions.discard(session)

    async def playground(request: Request) -> Response:
        return await _shown(request, in_thread, "playground")

    async def lesson(request: Request) -> Response:
        return await _shown(request, in_thread, "lessons", request.path_params.get("slug", ""))

    routes = [
        Route("/", playground),
        Route("/lessons", lambda request: RedirectResponse("/lessons/")),
        Route("/lessons/", lesson),
        Route("/lessons/{slug}", lesson),
        Route("/static/{name}", _static),
        WebSocketRoute("/socket", socket),
    ]
    return Guard(Starlette(routes=routes), token)


async def _converse(
    websocket: WebSocket, session: Session, in_thread: Callable[[Callable], Awaitable[bytes]]
) -> None:
    """Answer one message after another: the page waits, so it never has more than it can draw."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text") or message.get("bytes") or ""
        if len(text) > MOST_BYTES:
            await websocket.close(1009, "the message is too large")
            return
        await websocket.send_bytes(await in_thread(partial(session.answer, text)))


async def _shown(
    request: Request, in_thread: Callable[[Callable], Awaitable[Any]], kind: str, slug: str = ""
) -> Response:
    """Return a page in the language asked for; an address with a token is left for one without."""
    if "token" in request.query_params:
        left = request.url.remove_query_params("token")
        path = left.path + (f"?{left.query}" if left.query else "")
        response: Response = RedirectResponse(path, headers=HEADERS)
        response.set_cookie(
            _cookie(request),
            request.query_params["token"],
            httponly=True,
            samesite="strict",
            path="/",
        )
        return response
    language = language_of(request)
    if kind == "playground":
        response = HTMLResponse(page(language, has_lessons()), headers=HEADERS)
    else:
        lessons = await in_thread(partial(_lessons, language))
        if slug not in lessons:
            return PlainTextResponse("There is no such page.\n", 404, HEADERS)
        own = lessons[slug]
        html = page(language, True, own.title, own.html, slug)
        response = HTMLResponse(html, headers=HEADERS)
    if "lang" in request.query_params:
        response.set_cookie("lang", language, samesite="strict", path="/", max_age=31_536_000)
    return response


def _cookie(request: HTTPConnection) -> str:
    """Return the name of the cookie with the token: servers on other ports have their own."""
    return f"fastnn-{request.url.port or 80}"


def has_lessons() -> bool:
    """Say whether the course has pages for this site."""
    return find_spec("fastnn.course.site") is not None


def _lessons(language: str) -> dict[str, Any]:
    if not has_lessons():
        return {}
    return importlib.import_module("fastnn.course.site").pages(language)


def language_of(request: HTTPConnection) -> str:
    """Return the language of a request: what it asks for, what it chose before, the browser's."""
    accepted = request.headers.get("accept-language", "").split(",")
    wanted = [request.query_params.get("lang"), request.cookies.get("lang")]
    wanted += [part.partition(";")[0].strip()[:2].lower() for part in accepted]
    return next((language for language in wanted if language in LANGUAGES), "en")


async def _static(request: Request) -> Response:
    """Return a file of `static`, by a name that is there: no path leads out of it."""
    name = request.path_params["name"]
    known = {file.name: file for file in resources.files(__package__).joinpath("static").iterdir()}
    ending = name.rpartition(".")[2]
    if name not in known or ending not in KINDS:
        return PlainTextResponse("There is no such file.\n", 404, HEADERS)
    return Response(known[name].read_bytes(), media_type=KINDS[ending], headers=HEADERS)

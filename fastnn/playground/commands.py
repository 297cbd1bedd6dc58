"""The command line of the playground: fastnn playground."""

import secrets
import socket
import webbrowser

import click

from ..options import backend_option, check_environment

FIRST_PORT = 8765
NEEDED = "the playground needs uvicorn and starlette; pip install 'fastnn[playground]'"


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 is any.  [default: 8765 on]")
@click.option("--browser/--no-browser", default=True, help="Whether to open a browser.")
@click.option("--lang", type=click.Choice(("en", "zh")), help="Language.  [default: the browser's]")
@backend_option("The back end that trains, unless a page chooses.  [default: the fastest]")
def playground(port: int | None, browser: bool, lang: str | None) -> None:
    """Open a web page on which networks train: turn knobs, and see what becomes of it.

    It is for this machine only, and ends with Ctrl-C.
    """
    try:
        import uvicorn
        from threadpoolctl import threadpool_limits

        from .server import make_app
        from .session import MOST_BYTES
    except ImportError as error:
        raise ImportError(f"{NEEDED} ({error})") from None
    check_environment()
    token = secrets.token_urlsafe(24)
    with _listening(port) as listener:
        number = listener.getsockname()[1]
        address = f"http://127.0.0.1:{number}/?token={token}"
        if lang is not None:
            address += f"&lang={lang}"
        click.echo(f"fastnn playground: {address}\nCtrl-C ends it")
        if browser:
            webbrowser.open(address)
        config = uvicorn.Config(
            make_app(token),
            log_level="warning",
            ws_max_size=MOST_BYTES,
            ws_per_message_deflate=False,
            limit_concurrency=512,
            timeout_graceful_shutdown=1,
            lifespan="off",
        )
        try:
            # Small products need no threads of BLAS: where pages share processors they wait.
            with threadpool_limits(1, "blas"):
                uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            click.echo("ended")


def _listening(port: int | None) -> socket.socket:
    """Return a socket of this machine only, at a port or, without one, the first that is free."""
    wanted = [port] if port is not None else [*range(FIRST_PORT, FIRST_PORT + 20), 0]
    for number in wanted:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", number))
            listener.listen(128)  # who comes before the server has started waits
            return listener
        except OSError as error:
            listener.close()
            reason = error
    raise OSError(f"--port {wanted[-1]}: {reason.strerror}")

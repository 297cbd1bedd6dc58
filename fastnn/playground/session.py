"""One open page: what it asks for, and what it is told.

A message is a JSON object with a number `id` and a name `do`; the answer has the same `id`, and
either what was asked for or `error`, by language. Nothing happens unless a page asks.
"""

import base64
import binascii
import importlib
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from .. import backends
from ..backends.codes import ACTIVATIONS
from ..formulas import loss_names
from ..network import INITIALIZERS
from ..optimizers import LBFGS, SOLVERS
from . import data as data_sets
from . import exports, frames, images, networks, table
from .problems import Problem, told
from .programs import program
from .race import Race
from .runs import Run
from .settings import (
    DATA_SETS,
    FEATURES,
    MODELS,
    MOST_EPOCHS,
    MOST_LAYERS,
    MOST_UNITS,
    Settings,
)
from .settings import read as read_settings
from .unscaled import is_scaled

MOST_BYTES = 2_000_000  # of a message
BUDGET = 0.025  # seconds of training for an answer
MOST_SECONDS = 60  # of the training for a file
MOST_SIDE = 400  # pixels of a drawing
MOST_FILES = 4  # that are made at a time, for all pages: half of the server's threads
LANGUAGES = ("en", "zh")
_making = threading.BoundedSemaphore(MOST_FILES)
Answer = tuple[dict[str, Any], frames.Arrays]


def choices() -> dict[str, Any]:
    """Return what a page offers: names of data sets, formulas and back ends, and limits."""
    return {
        "data": DATA_SETS,
        "models": MODELS,
        "features": FEATURES,
        "activations": [row.name for row in ACTIVATIONS if not row.output_only],
        "outputs": ["auto", *(row.name for row in ACTIVATIONS)],
        "losses": {"classes": loss_names(2), "numbers": loss_names(0)},
        "solvers": [name for name in SOLVERS if name != LBFGS],
        "inits": INITIALIZERS,
        "backends": backends.available_backends(),
        "exports": exports.available(),
        "most_units": MOST_UNITS,
        "most_layers": MOST_LAYERS,
        "most_epochs": MOST_EPOCHS,
    }


class Session:
    """An open page."""

    def __init__(self) -> None:
        self._data: data_sets.Data | None = None
        self._run: Run | None = None
        self._race: Race | None = None

    def answer(self, text: str | bytes) -> bytes:
        """Return the answer to a message, whatever it says."""
        number = None
        try:
            message = _parsed(text)
            number = message["id"]
            header, arrays = DOES[message["do"]](self, message)
            return frames.pack({"id": number, **header}, arrays)
        except (ValueError, ImportError, MemoryError, OSError, RuntimeError) as error:
            return frames.pack({"id": number, "error": told(error)}, {})
        except Exception as error:  # an error of ours: told here and there, and the page lives
            logging.getLogger(__name__).exception("an answer failed")
            return frames.pack({"id": number, "error": told(error)}, {})

    def _set(self, message: dict) -> Answer:
        """Take up new settings, and train to where they say."""
        settings = read_settings(_text(message, "settings"))
        made = data_sets.make(data_sets.key(settings))
        run = networks.begin(settings, made)
        is_new = made is not self._data
        self._data, self._run = made, run
        header, arrays = self._frame(*settings.where)
        header["settings"] = settings.to_json()
        header["address"] = replace(settings, epoch=0, batch_at=0).to_address()
        if is_new or message.get("all"):
            header["data"] = data_sets.describe(made)
            arrays |= frames.samples_of(made)
        return header, arrays

    def _go(self, message: dict) -> Answer:
        """Go on, or back, to an epoch and a batch of the next."""
        epoch = _integer(message, "epoch", MOST_EPOCHS)
        return self._frame(epoch, _integer(message, "batch", 100_000))

    def _frame(self, epoch: int, batch: int) -> Answer:
        run = self._needed_run()
        return frames.frame(run, run.go(epoch, batch, BUDGET))

    def _needed_run(self) -> Run:
        if self._run is None:
            raise Problem("There is nothing to train yet.", "还没有可训练的内容。")
        return self._run

    def _here(self) -> tuple[Settings, data_sets.Data]:
        """Return settings that say where the run is, and its data."""
        run = self._needed_run()
        return replace(run.settings, epoch=run.where.epoch, batch_at=run.where.batch), run.data

    def _table(self, message: dict) -> Answer:
        """Read a file that was dropped: which of its columns are to be what."""
        found = table.read(table.decode(_text(message, "table")))
        return {"columns": table.choice(found)}, {}

    def _digit(self, message: dict) -> Answer:
        """Name the digit that a hand has drawn."""
        run = self._needed_run()
        if run.data.kind != "images":
            raise Problem("This network knows no digits.", "这个网络不认识数字。")
        side = _integer(message, "side", MOST_SIDE)
        try:
            ink = np.frombuffer(base64.b64decode(_text(message, "ink"), validate=True), np.uint8)
        except binascii.Error:
            ink = np.empty(0, np.uint8)
        if side < 1 or len(ink) != side * side:
            raise Problem("The drawing is damaged.", "图画数据已损坏。")
        image = images.from_drawing(ink.reshape(side, side))
        seen = image if run.settings.model == "network" else images.reals(image)
        last = run.outputs(seen[np.newaxis])[-1][0].astype(np.float64)
        return {"outputs": last.tolist(), "named": int(last.argmax())}, {
            "image": image.reshape(images.load().side, -1)
        }

    def _program(self, message: dict) -> Answer:
        return {"text": program(*self._here(), _language(message))}, {}

    def _file(self, message: dict) -> Answer:
        """Train once more, as the program does, and return the model as a file."""
        run = self._needed_run()
        if run.reason == "diverged":
            raise Problem(
                "The training has diverged: there is no model to take along.",
                "训练已发散：没有可以带走的模型。",
            )
        if run.seconds > 0 and run.where.epoch / (run.n_epochs / run.seconds) > MOST_SECONDS:
            raise Problem(
                "To train once more would take more than a minute: run the Python program.",
                "重新训练需要一分钟以上：请运行 Python 程序。",
            )
        if not _making.acquire(blocking=False):
            raise Problem(
                "Other pages make files now: try again in a minute.",
                "其他页面正在生成文件：请一分钟后再试。",
            )
        try:
            name, content = exports.make(_text(message, "kind"), *self._here())
        finally:
            _making.release()
        header = {"name": name, "is_scaled": is_scaled(run.settings, run.data)}
        return header, {"content": np.frombuffer(content, np.uint8)}

    def _begin_race(self, message: dict) -> Answer:
        """Begin a race of all back ends that can be used here."""
        settings, made = self._here()
        epochs = max(1, _integer(message, "epochs", MOST_EPOCHS))
        names = [name for name, reason in backends.available_backends().items() if reason is None]
        self._race = Race(settings, made, names, epochs)
        return {"names": names, "epochs": epochs}, {}

    def _go_race(self, message: dict) -> Answer:
        if self._race is None:
            raise Problem("There is no race.", "没有进行中的比赛。")
        return self._race.turn(), {}

    def _check(self, message: dict) -> Answer:
        """Check the answer to a lesson's exercise."""
        given = [_text(message, name) for name in ("lesson", "exercise", "answer")]
        right, text = _lessons().check(*given, _language(message))
        return {"right": bool(right), "text": text}, {}

    def _picture(self, message: dict) -> Answer:
        """Draw a lesson's picture for a setting of its knobs."""
        lesson, language = _text(message, "lesson"), _language(message)
        return _lessons().picture(lesson, message.get("knobs"), language), {}


DOES: dict[str, Callable[[Session, dict], Answer]] = {
    "choices": lambda session, message: (choices(), {}),
    "set": Session._set,
    "go": Session._go,
    "table": Session._table,
    "digit": Session._digit,
    "program": Session._program,
    "file": Session._file,
    "race": Session._begin_race,
    "race-go": Session._go_race,
    "check": Session._check,
    "picture": Session._picture,
}


def _lessons() -> Any:
    """Return what the course has for this site."""
    if find_spec("fastnn.course.site") is None:
        raise Problem("There are no lessons here.", "这里没有课程。")
    return importlib.import_module("fastnn.course.site")


def _parsed(text: str | bytes) -> dict[str, Any]:
    """Return a message; ValueError unless it is one."""
    if len(text) > MOST_BYTES:
        raise Problem("The message is too large.", "消息太大。")
    try:
        message = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict) or not isinstance(message.get("do"), str):
        raise Problem("The message is no JSON object with a name 'do'.", "消息格式不正确。")
    number = message.get("id")
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**53:
        raise Problem("The message has no number 'id'.", "消息没有编号。")
    if message["do"] not in DOES:
        raise Problem(f"There is no {message['do'][:30]!r}.", f"没有 {message['do'][:30]!r}。")
    return message


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _text(message: dict, name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise Problem(f"{name}: expected a text.", f"{name}：应为文本。")
    return value


def _language(message: dict) -> str:
    language = _text(message, "lang")
    if language not in LANGUAGES:
        raise Problem("lang: expected en or zh.", "lang：应为 en 或 zh。")
    return language


def _integer(message: dict, name: str, most: int) -> int:
    value = message.get(name, 0)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= most or value != int(value):  # NaN is not in between
        raise Problem(
            f"{name}: expected a whole number from 0 to {most}.",
            f"{name}：应为 0 到 {most} 的整数。",
        )
    return int(value)

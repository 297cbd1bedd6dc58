"""The same network on several back ends, side by side: epochs a second, and how far apart.

They train in turns of a few hundredths of a second, so each has the processor for itself, and only
the seconds of its own turns count. Who is there runs the same way again while others are on it:
a speed is that of many epochs.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from .data import Data
from .networks import begin
from .problems import Problem
from .runs import Run
from .settings import MOST_EPOCHS, Settings

TURN = 0.03


class Race:
    """A race to an epoch.

    Parameters
    ----------
    names : sequence of str
        The back ends.
    epochs : int
    """

    def __init__(self, settings: Settings, data: Data, names: list[str], epochs: int):
        self.names, self.epochs = names, epochs
        self._settings, self._data = replace(settings, epoch=epochs, batch_at=0), data
        self._runs: dict[str, Run] = {}
        self._laps: dict[str, Run] = {}  # of those who are there
        self._spent: dict[str, tuple[float, float]] = {}  # epochs and seconds of complete laps
        self._left_out: set[str] = set()  # too slow for these settings

    def turn(self) -> dict[str, Any]:
        """Let each go on for a while, and say where all are.

        The turn in which a back end begins may take as long as it compiles: that is not counted.
        """
        for name in self.names:
            if name not in self._runs and name not in self._left_out:
                try:
                    self._runs[name] = self._begin(name)
                except Problem:
                    self._left_out.add(name)
                return self._told()
        for name, run in self._runs.items():
            if run.go(self.epochs, 0, TURN):
                self._run_again(name)
        return self._told()

    def _run_again(self, name: str) -> None:
        """Let who is there spend its turn on another lap."""
        lap = self._laps.get(name)
        if lap is None:
            lap = self._laps[name] = self._new(name)
        if lap.go(self.epochs, 0, TURN):
            epochs, seconds = self._spent.get(name, (0.0, 0.0))
            self._spent[name] = epochs + lap.n_epochs, seconds + lap.seconds
            del self._laps[name]

    def _begin(self, name: str) -> Run:
        warm = begin(self._settings.on(name), self._data)
        warm.go(0, 1, 3600.0)  # compiles
        warm.go(2, 0, TURN)
        return self._new(name)

    def _new(self, name: str) -> Run:
        run = begin(self._settings.on(name), self._data)
        run.stride = MOST_EPOCHS  # no pause on the way
        return run

    def _told(self) -> dict[str, Any]:
        lanes: list[dict[str, Any]] = []
        waiting = [n for n in self.names if n not in self._runs and n not in self._left_out]
        for name in self.names:
            run = self._runs.get(name)
            if run is None:
                state = "left out" if name in self._left_out else "waiting"
                if name in waiting[:1]:
                    state = "starting"
                lanes.append({"name": name, "state": state})
                continue
            is_there = run.where.epoch >= self.epochs or bool(run.reason)
            lanes.append(
                {
                    "name": name,
                    "state": "done" if is_there else "running",
                    "epoch": run.where.epoch + run.where.batch / run.n_batches,
                    "seconds": run.seconds,
                    "rate": self._rate(name, run),
                    "difference": self._difference(run) if is_there else None,
                }
            )
        done = all(lane["state"] in ("done", "left out") for lane in lanes)
        return {"lanes": lanes, "epochs": self.epochs, "done": done}

    def _rate(self, name: str, run: Run) -> float:
        """Return epochs a second."""
        runs = [run, self._laps[name]] if name in self._laps else [run]
        epochs, seconds = self._spent.get(name, (0.0, 0.0))
        epochs += sum(one.n_epochs for one in runs)
        seconds += sum(one.seconds for one in runs)
        return epochs / seconds if seconds else 0.0

    def _difference(self, run: Run) -> float:
        """Return the largest difference of parameters to the others that are there."""
        others = [
            other.parameters
            for other in self._runs.values()
            if other is not run and other.where == run.where
        ]
        return max((float(np.abs(run.parameters - p).max()) for p in others), default=0.0)

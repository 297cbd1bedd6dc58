"""How many threads the next call of a fit takes: by how fast the last calls were.

Results do not depend on the number of threads, so it may change from call to call. On a machine
with nothing else to do, a fit takes the number that the back end names. Where other programs want
the processors, threads wait at barriers for one that has been put aside, and one thread alone may
be several times as fast. A call tells: the processor time of its threads is well below the time
that they took. Then half as many are tried, in a short call, and the faster number stays; later,
at growing intervals, twice as many are.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

CALL_SECONDS = (0.01, 0.04, 0.16, 0.5)  # of the first calls with a number of threads, and the rest
PROBE_SECONDS = 0.02
SHARE_WANTED = 0.85  # of the processors' time; below, the threads have waited
SLOWER = 1.5  # than the fastest so far: something has happened
# Seconds until the next trial, each twice the last: what disturbed one call may be over at once.
PAUSE, LONGEST_PAUSE = 0.5, 8.0
REMEMBERED = 2.0  # seconds for which the next fits begin with what was found
SHORTEST = 0.006  # seconds; a shorter call tells nothing


class Work(NamedTuple):
    """What the threads of a call took, summed over them."""

    n_threads: int
    elapsed: float  # seconds that passed
    running: float  # seconds of them on a processor


class Trials:
    """When a number may be tried again: after a pause that grows."""

    def __init__(self) -> None:
        self.due, self._pause = 0.0, PAUSE

    def wait(self, time_now: float) -> None:
        """Put the next trial off."""
        self.due = time_now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)


class Memory:
    """What the last fit of this process found; the next ones begin with it for a while."""

    def __init__(self) -> None:
        self.count, self.until = 0, 0.0  # 0: all are well used
        self.troubles = 0  # calls on end in which threads have waited
        self.trials = Trials()


_memory = Memory()


class ThreadCount:
    """The number of threads of a fit's next call.

    Parameters
    ----------
    most : int
        The number on a machine with nothing else to do.
    clock : callable
        Returns seconds.
    memory : Memory
        What other fits have found, and shall know.

    Attributes
    ----------
    now : int
        Threads for the next call.
    """

    def __init__(
        self,
        most: int,
        clock: Callable[[], float] = time.monotonic,
        memory: Memory = _memory,
    ):
        self.most = most
        self._clock, self._memory = clock, memory
        self._fewer, self._more = Trials(), Trials()
        self._settled = most
        if most > memory.count > 0 and clock() < memory.until:
            self._settled, self._more = memory.count, memory.trials
        self.now = self._settled
        self._paces: dict[int, float] = {}  # seconds per step of the last call, by number
        self._fastest = 0.0  # with the settled number
        self._calls = 0  # since it was settled
        if clock() >= memory.until:
            memory.troubles = 0

    @property
    def seconds(self) -> float:
        """How long the next call should be."""
        if self.most == 1 or not self._paces:
            return CALL_SECONDS[-1]
        if self.now != self._settled or self._memory.troubles == 1:
            return PROBE_SECONDS
        return CALL_SECONDS[min(self._calls, len(CALL_SECONDS) - 1)]

    def measured(self, n_steps: int, work: Any) -> None:
        """Choose the next number, after a call of some steps; `work` is None or a `Work`."""
        if self.most == 1 or work is None or work.n_threads != self.now or n_steps == 0:
            return
        n, time_now = self.now, self._clock()
        pace = self._paces[n] = work.elapsed / n / n_steps
        if n != self._settled:
            self._judge(n, pace, time_now)
        else:
            self._go_on(n, pace, work, time_now)
        count, memory = min(self.now, self._settled), self._memory
        memory.count, memory.trials = count if count < self.most else 0, self._more
        if self.now <= self._settled:  # a trial of more that no call is left for: not for ever
            memory.until = time_now + REMEMBERED

    def _go_on(self, n: int, pace: float, work: Work, time_now: float) -> None:
        """Look whether another number is worth a trial."""
        self._calls += 1
        slow = pace > SLOWER * self._fastest > 0
        self._fastest = min(self._fastest or pace, pace)
        waited = work.running < SHARE_WANTED * work.elapsed
        trouble = (waited or slow) and work.elapsed > n * SHORTEST
        memory = self._memory
        memory.troubles = memory.troubles + 1 if trouble else 0
        # Not after one: a system may leave new threads on one processor for some milliseconds.
        if n > 1 and memory.troubles > 1 and time_now >= self._fewer.due:
            self.now = n // 2
        elif n < self.most and time_now >= self._more.due:
            self.now = min(2 * n, self.most)
        elif n == self.most and not trouble and self._calls > len(CALL_SECONDS):
            self._fewer, self._more = Trials(), Trials()

    def _judge(self, tried: int, pace: float, time_now: float) -> None:
        """Settle on the number that was tried, or go back."""
        before = self._settled
        if pace < self._paces[before]:
            self._settled, self._fastest, self._calls = tried, pace, 0
            self._memory.troubles = 0
            if tried < before:
                self._more.wait(time_now)
        else:
            (self._fewer if tried < before else self._more).wait(time_now)
        self.now = self._settled

"""The choice of the number of threads, on a machine and a clock that are made up."""

import numpy as np
import pytest

import fastnn
from fastnn.backends.thread_count import CALL_SECONDS, Memory, ThreadCount, Work


class Machine:
    """Steps take a millisecond on one thread; while it is `loaded`, several wait for each other."""

    def __init__(self, loaded=False, most=2, memory=None):
        self.time, self.loaded, self.memory = 0.0, loaded, memory or Memory()
        self.count = self.fit(most)
        self.used = []

    def fit(self, most):
        self.is_first = True
        return ThreadCount(most, lambda: self.time, self.memory)

    def call(self):
        n = self.count.now
        pace = 0.001 * (4 * n if self.loaded and n > 1 else 1.1 / n if n > 1 else 1)
        steps = max(1, int(self.count.seconds / pace)) if not self.is_first else 16
        self.is_first = False
        self.time += steps * pace
        self.used.append(n)
        share = (0.5 if n > 1 else 0.7) if self.loaded else 0.99
        self.count.measured(steps, Work(n, n * steps * pace, n * steps * pace * share))

    def run(self, seconds):
        """Go on for some seconds; return the time with each number of threads."""
        spent, end = {}, self.time + seconds
        while self.time < end:
            begin, n = self.time, self.count.now
            self.call()
            spent[n] = spent.get(n, 0) + self.time - begin
        return spent


@pytest.mark.parametrize("most", [1, 2, 7, 16])
def test_no_trials_on_a_quiet_machine(most):
    assert set(Machine(most=most).run(60)) == {most}


def test_calls_grow_so_that_trouble_shows_early():
    machine = Machine()
    lengths = []
    for _ in range(6):
        begin = machine.time
        machine.call()
        lengths.append(machine.time - begin)
    assert lengths[1:] == pytest.approx([0.04, 0.16, 0.5, 0.5, 0.5], rel=0.1)
    assert Machine(most=1).count.seconds == CALL_SECONDS[-1]


def test_one_thread_while_others_want_the_processors():
    machine = Machine(loaded=True)
    spent = machine.run(60)
    assert spent[2] < 0.15 * spent[1]
    assert machine.used[:4] == [2, 2, 1, 1]
    assert machine.used.count(2) > 3  # it looks again,
    machine.loaded = False
    machine.run(10)
    assert machine.count.now == 2  # and finds that the others are gone.
    assert set(machine.run(10)) == {2}


def test_load_in_the_middle_of_a_fit():
    machine = Machine()
    machine.run(5)
    machine.loaded = True
    machine.run(3)
    assert machine.count.now == 1


def test_sixteen_threads_halve_until_it_pays_no_more():
    machine = Machine(loaded=True, most=16)
    machine.run(5)
    assert machine.used[:7] == [16, 16, 8, 8, 8, 4, 4]
    assert machine.count._settled == 1
    machine.loaded = False
    machine.run(30)
    assert machine.count.now == 16


def test_the_next_fit_knows_what_the_last_one_found():
    machine = Machine(loaded=True)
    machine.run(1)
    assert machine.fit(2).now == 1
    assert machine.fit(1).now == 1
    machine.time += 60
    assert machine.fit(2).now == 2


@pytest.mark.parametrize("length", [0.001, 0.05])  # of one call, and of several
def test_many_short_fits_on_a_loaded_machine(length):
    machine = Machine(loaded=True)
    spent = {1: 0.0, 2: 0.0}
    for _ in range(300):
        machine.count = machine.fit(2)
        for n, seconds in machine.run(length).items():
            spent[n] += seconds
    assert spent[2] < 0.2 * spent[1]
    machine.loaded = False
    for _ in range(300):
        machine.count = machine.fit(2)
        machine.run(length)
    assert machine.count.now == 2


def test_a_waiting_thread_that_is_no_reason_costs_few_trials():
    """Work that cannot be shared out evenly looks like load."""
    machine = Machine()
    for _ in range(400):
        n = machine.count.now
        pace = 0.001 / n
        steps = max(1, int(machine.count.seconds / pace))
        machine.time += steps * pace
        machine.used.append(n)
        machine.count.measured(steps, Work(n, n * steps * pace, 0.7 * n * steps * pace))
    assert machine.used.count(1) < 0.15 * len(machine.used)


def test_back_ends_without_threads_say_nothing():
    count = Machine().count
    count.measured(10, None)
    assert count.now == 2


def test_a_change_in_the_midst_does_not_change_the_result(compiled_backend, monkeypatch, rng):
    """Bitwise."""
    monkeypatch.setattr("fastnn.backends.cpu.panels.WORK_PER_THREAD", 1)
    monkeypatch.setattr("fastnn.backends.cpu.panels.available_processors", lambda: 4)
    monkeypatch.setattr("fastnn.training.CALL_SECONDS", 1e-9)
    monkeypatch.setattr("fastnn.backends.thread_count._memory.count", 0)  # of other tests
    X, y = rng.normal(size=(90, 40)), rng.integers(0, 3, 90)
    used = []

    def measured(self, n_steps, work):
        used.append(self.now)
        self.now = len(used) % 3 + 1

    params = []
    for n_jobs in (1, 4):
        model = fastnn.MLPClassifier((50,), max_iter=30, tol=None, random_state=0, n_jobs=n_jobs)
        params.append(model.fit(X, y).params_)
        monkeypatch.setattr(ThreadCount, "measured", measured)
    assert (params[0] == params[1]).all()
    assert {1, 2, 3} < set(used)


@pytest.mark.parametrize(
    ("density", "hidden", "batch_size", "solver", "expected"),
    [
        (1, 30, 32, "adam", 2),  # 784-30-10: 760,000 multiply-adds a step, and the update
        (0.19, 30, 32, "adam", 1),  # of images, a fifth of them
        (0.19, 30, 10, "sgd", 1),
        (0.19, 512, 32, "adam", 2),
        (0.19, 512, 1, "adam", 2),  # all weights have moments, that change at each step
        (0.19, 512, 1, "sgd", 1),
        (1, 512, 1, "sgd", 2),
    ],
)
def test_inputs_of_0_are_no_work(
    density, hidden, batch_size, solver, expected, compiled_backend, monkeypatch, rng
):
    monkeypatch.setattr("fastnn.backends.cpu.panels.available_processors", lambda: 2)
    X = (rng.random((300, 784)) < density).astype(np.float32)
    wanted = []
    monkeypatch.setattr(
        "fastnn.training.ThreadCount", lambda most: wanted.append(most) or ThreadCount(most)
    )
    options = {"solver": solver, "momentum": 0, "batch_size": batch_size, "n_jobs": 2}
    fastnn.MLPClassifier((hidden,), max_iter=1, **options).fit(X, rng.integers(0, 10, 300))
    assert wanted == [expected]


def test_each_window_of_a_stream_is_worth_its_own_number(compiled_backend, monkeypatch, rng):
    """Not that of the first, which may be nearly empty."""
    monkeypatch.setattr("fastnn.backends.cpu.panels.available_processors", lambda: 2)
    monkeypatch.setattr("fastnn.backends.thread_count._memory.count", 0)
    X = rng.random((1024, 784))
    X[:512] *= rng.random((512, 784)) < 0.01
    y, used = rng.integers(0, 2, 1024), []
    real = ThreadCount.measured

    def measured(self, n_steps, work):
        used.append(self.now)
        real(self, n_steps, work)

    monkeypatch.setattr(ThreadCount, "measured", measured)
    options = {"solver": "sgd", "batch_size": 64, "buffer_size": 512, "n_jobs": 2}
    model = fastnn.MLPClassifier((64,), max_iter=1, tol=None, shuffle=False, **options)
    model.fit_batches(lambda: ((X[i : i + 256], y[i : i + 256]) for i in range(0, 1024, 256)))
    assert used[0] == 1
    assert used[-1] == 2

"""The table of formulas, the rooms that have them, and the contract that each back end keeps."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import fastnn
from fastnn import backends
from fastnn.backends import codes, interface
from fastnn.backends.codes import ACTIVATIONS, LOSSES, OPTIMIZERS
from fastnn.backends.rows import by_name

FOLDER = Path(backends.__file__).parent
CONTRACT = {
    name: list(inspect.signature(function).parameters)[1:]
    for name, function in vars(interface.Kernels).items()
    if inspect.isfunction(function) and not name.startswith("_")
}


@pytest.mark.parametrize("name", fastnn.available_backends())
def test_a_back_end_keeps_the_contract(name):
    """Also one that cannot be used here: names and order of all arguments."""
    module = importlib.import_module(f"fastnn.backends.{backends._MODULES[name]}")
    assert len(CONTRACT) > 9
    for function, arguments in CONTRACT.items():
        assert list(inspect.signature(getattr(module, function)).parameters) == arguments, function
    assert module.NETWORKS_AT_ONCE > 0


def functions_of(path):
    """Return the functions that a file of Python or Cython defines, in order."""
    text = path.read_text()
    if path.suffix == ".py":
        return [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    return re.findall(r"^(?:cdef|cpdef|def)\b[^(=:]*?(\w+)\(", text, re.MULTILINE)


ROOMS = {
    path.parent.name: functions_of(path)
    for path in sorted(FOLDER.glob("*/formulas.*"))
    if path.suffix in (".py", ".pxi")
}
FORMULAS = [
    "activate",
    "loss_of_output",
    "loss_and_delta",
    "step_sizes",
    "penalty",
    "optimizer_step",
    "philox",
]


def test_all_rooms_define_the_same_formulas_in_the_same_order():
    """Beside helpers of their own, and of the room's."""
    assert {"python", "numba_cpu", "numba_cuda"} <= ROOMS.keys() <= set(backends._MODULES.values())
    for room, functions in ROOMS.items():
        assert [name for name in functions if name in FORMULAS] == FORMULAS, room
        assert len(set(functions)) == len(functions), room
    shared = set.intersection(*map(set, ROOMS.values()))
    orders = {room: [n for n in functions if n in shared] for room, functions in ROOMS.items()}
    assert len({tuple(order) for order in orders.values()}) == 1, orders
    for room in ROOMS:
        others = [set(functions) for name, functions in ROOMS.items() if name != room]
        missing = set.intersection(*others) - set(ROOMS[room])
        assert not missing, f"{room}/formulas lacks {missing}"


TWINS = {path.stem for path in FOLDER.glob("cython_cpu/[a-z]*.pxi")} - {"codes"}


@pytest.mark.parametrize("stem", sorted(TWINS | {"kernels"}))
def test_twins_define_the_same_functions_in_the_same_order(stem):
    """Cython's and Numba's file of one name, beside helpers that only one of them needs."""
    ours = FOLDER / f"cython_cpu/{stem}.{'pyx' if stem == 'kernels' else 'pxi'}"
    theirs = FOLDER / f"numba_cpu/{'training' if stem == 'kernels' else stem}.py"
    cython, numba = functions_of(ours), functions_of(theirs)
    shared = set(cython) & set(numba)
    assert len(shared) >= 2
    assert 2 * len(shared) > len(numba), set(numba) - shared
    assert [name for name in cython if name in shared] == [n for n in numba if n in shared]


@pytest.mark.parametrize("rows", [ACTIVATIONS, LOSSES, OPTIMIZERS])
def test_names_are_unique_and_codes_are_places(rows):
    names = [name for row in rows for name in (row.name, *row.aliases)]
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "").isalnum() and name == name.lower() for name in names)
    for place, row in enumerate(rows):
        assert row.code == place
        assert getattr(codes, row.name.upper()) == place
        assert all(by_name(rows)[name] == place for name in (row.name, *row.aliases))
        assert row.formula
        assert row.tex
        assert row.source


def test_losses_name_activations():
    known = {row.name for row in ACTIVATIONS}
    for row in LOSSES:
        assert set(row.outputs) <= known
        assert row.task in ("any", "regression", "classes")
    for row in (*ACTIVATIONS, *LOSSES):
        assert row.parameter is None or row.parameter.holds(row.parameter.default)


def test_cython_has_the_codes():
    """As setup.py writes them for every build."""
    path = Path(__file__).parents[1] / "fastnn/backends/cython_cpu/codes.pxi"
    if not path.is_file():
        pytest.skip("not built here")
    found = {name: int(code) for name, code in re.findall(r"(\w+) = (\d+)", path.read_text())}
    for row in (*ACTIVATIONS, *LOSSES, *OPTIMIZERS):
        assert found[row.name.upper()] == row.code
    for name in ("STORE_GRADIENT", "STREAM_DROPOUT", "STREAM_DISTORTION"):
        assert found[name] == getattr(codes, name)

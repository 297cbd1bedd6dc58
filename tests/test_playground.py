"""The playground without its server: settings, data, exact runs, and the answers to a page."""

import base64
import gc
import json
import weakref
from dataclasses import replace

import numpy as np
import pytest

import fastnn
from fastnn.playground import data as data_sets
from fastnn.playground import exports, frames, images, models, networks, session, table
from fastnn.playground.problems import Problem
from fastnn.playground.programs import program
from fastnn.playground.race import Race
from fastnn.playground.settings import DATA_SETS, MOST_POINTS, read

XOR = "data=xor&hidden=10&act=sigmoid&loss=half_squared_error&solver=sgd&lr=0.1&init=uniform"
ADDRESSES = {
    "spirals": "data=spirals&hidden=6,5&act=tanh,relu&n=60&epoch=7",
    "dropout": "data=moons&hidden=6&dropout=0.3&alpha=0.01&l1=0.001&n=60&epoch=5",
    "xor": f"{XOR}&epoch=300",
    "small batches": "data=clouds&hidden=4&loss=half_squared_error&batch=2&n=20&epoch=4",
    "parabola": "data=parabola&hidden=9&solver=sgd&momentum=0.9&lr=0.05&n=50&epoch=6",
    "no hidden layer": "data=disc&hidden=&features=x1,x2,x1x1,x2x2&n=80&epoch=9",
    "perceptron": "data=four&model=perceptron&lr=0.1&epoch=100",
    "perceptron, online": "data=clouds&model=perceptron&batch=1&lr=0.1&epoch=4",
    "linear": "data=four&model=linear&lr=0.1&epoch=100",
    "linear, online": "data=clouds&model=linear&batch=1&lr=0.01&epoch=5",
    "features": "data=xor&model=linear&features=x1,x2,x1x1,x1x2,x2x2&lr=0.1&epoch=1000",
    "many digits": "data=clouds&noise=0.12345678901234567&lr=1e-05&n=40&epoch=2",
}


def run_to(address, budget=0.001):
    """Return a run where an address says it is, in many small slices of time."""
    settings = read(address)
    run = networks.begin(settings, data_sets.make(data_sets.key(settings)))
    while not run.go(*settings.where, budget):
        pass
    return run


def points(text):
    return "data=drawn&hidden=4&table=" + table.encode(text)


class Page:
    """Asks a session as a page does."""

    def __init__(self):
        self.session, self.number = session.Session(), 0

    def ask(self, do, **message):
        self.number += 1
        text = json.dumps({"id": self.number, "do": do, **message})
        header, arrays = frames.unpack(self.session.answer(text))
        assert header["id"] == self.number
        return header, arrays


@pytest.fixture
def page():
    return Page()


@pytest.fixture
def small_images(monkeypatch):
    digits = fastnn.load_digits()
    X, order = digits[0].astype(np.uint8), np.arange(len(digits[1]))
    split = order[order % 5 > 0], order[order % 5 == 0]
    own = images.Images(X, digits[1], split, 1 / 16, "UCI digits")
    monkeypatch.setattr(images, "load", lambda: own)
    kept = data_sets.make, images.training_inputs
    for function in kept:
        function.cache_clear()
    monkeypatch.setattr(networks, "_sent", {})
    yield own
    for function in kept:
        function.cache_clear()


# Settings and data


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_is_written_as_it_was_read(address):
    settings = read(address)
    assert read(settings.to_address()) == settings


@pytest.mark.parametrize(
    "address",
    [
        *("data=mars", "hidden=0", "hidden=65", "hidden=1000000", "lr=nan", "lr=inf", "lr=0"),
        *("n=1e9", "n=-1", "noise=-1", "test=0.9", "epoch=1e300", "epoch=10000001", "seed=-1"),
        *("color=red", "features=", "solver=lbfgs", "backend=abacus", "box=1,0,0,1", "columns=-1"),
        *("act=sigmod", "act=softmax", "out=sigmod"),
        *("hidden=" + ",".join("8" * 9), "&".join(f"n={i}" for i in range(200))),
    ],
)
def test_a_wrong_setting_is_refused(address):
    with pytest.raises(Problem) as found:
        read(address)
    assert found.value.en
    assert found.value.zh
    if "=sigmod" in address:
        assert found.value.en.startswith(address.replace("sigmod", "'sigmod': expected one of"))


@pytest.mark.parametrize("name", [name for name in DATA_SETS if name not in ("drawn", "csv")])
def test_data_are_what_their_seed_says(name):
    settings = data_sets.key(read(f"data={name}&noise=0.1&draw=3"))
    one, other = data_sets.make(settings), data_sets.make.__wrapped__(settings)
    np.testing.assert_array_equal(one.points, other.points)
    np.testing.assert_array_equal(one.y, other.y)
    assert not set(one.train) & set(one.test)
    assert len(one.train) + len(one.test) == len(one.y)


def test_a_csv_file_is_scaled_and_its_classes_are_named():
    text = "length;width;kind\n10;1;cat\n20;2;dog\n30;5;bird\n40;3;cat\n"
    made = data_sets.make(read("data=csv&test=0&table=" + table.encode(text)))
    assert made.classes == ["bird", "cat", "dog"]
    assert made.y.tolist() == [1, 2, 0, 1]
    np.testing.assert_allclose(made.points[:, 0], [-1, -1 / 3, 1 / 3, 1])
    assert [axis[0] for axis in made.axes] == ["length", "width"]
    curve = data_sets.make(read("data=csv&columns=0,1&test=0&table=" + table.encode(text)))
    assert curve.kind == "line"
    np.testing.assert_allclose(curve.y, [-1, -0.5, 1, 0])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1,2,0\n3,4\n", "Row 2"),
        ("1\n2\n", "two columns"),
        ("1,nan,0\n1,2,1\n", "not a number"),
        ("1,1e999,0\n1,2,1\n", "not a number"),
        ("1,2,0\n", "samples"),
        ("1,2,0\n3,4,0\n", "classes"),
        ('1,"2,0\n3,4,0\n', "CSV"),
        ("1,2,0\n" * (MOST_POINTS + 1), "samples"),
        (",".join("1" * 101) + "\n", "columns"),
        ("1,2,0\n" * 200_000, "too large"),
    ],
)
def test_a_table_that_is_none_is_refused(text, says):
    with pytest.raises(Problem, match=says):
        data_sets.make(read(points(text)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b,c\nx,y,z\nu,v,w\n", "No column of numbers"),
        ("a\tb\n1,5\t2\n2,5\t3\n", "Column a, row 1: numbers need a point, .*'1,5'"),
        ("a;b\n1,000;2.5\n2,000;3.5\n", "Column a, row 1: numbers need a point"),
        ("a,b,c\n1,2,x\n,3,y\n4,5,x\n", "Column a, row 2 is empty"),
        ("a,b,c\n1,2,x\n3,4,\n5,6,y\n", "Column c, row 2 is empty"),
    ],
)
def test_a_file_that_cannot_be_used_says_which_cell_is_wrong(text, says):
    def drop():
        columns = ",".join(map(str, table.choice(table.read(text))))
        data_sets.make(read(f"data=csv&columns={columns}&table={table.encode(text)}"))

    with pytest.raises(Problem, match=says):
        drop()


def test_a_decimal_comma_is_read_where_semicolons_separate():
    assert table.read("h;s;p\n1,5;2;no\n2,5;3;yes\n").rows[0] == ["1.5", "2", "no"]
    assert table.read("1,5;2,5;no\n2,5;3;yes\n").rows[0] == ["1.5", "2.5", "no"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_system_ends_them(end):
    found = table.read(end.join(("a,b", "1,2", "3,4", "")))
    assert found == table.Table(["a", "b"], [["1", "2"], ["3", "4"]])


def test_a_deflated_bomb_is_refused():
    bomb = table.encode("0" * 100_000_000)
    with pytest.raises(Problem, match="too large"):
        table.decode(bomb)
    for text in ("%%%", "AAAA", base64.urlsafe_b64encode(b"no deflate").decode()):
        with pytest.raises(Problem, match="damaged"):
            table.decode(text)


# Runs


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_a_run_is_bit_by_bit_what_fit_makes(address):
    run = run_to(address)
    model = exports.fitted(run.settings, run.data)
    if run.settings.model == "network":
        np.testing.assert_array_equal(run.parameters, model.params_)
        X = models.inputs_of(run.settings, run.data, run.data.train)
        loss = model.evaluate(X, models.targets_of(run.settings, run.data, run.data.train))[0]
        assert run.measure().loss == pytest.approx(loss, rel=1e-12)
    else:
        ((weights, bias),) = run.layers
        np.testing.assert_array_equal(weights.T.ravel(), np.ravel(model.coef_))
        np.testing.assert_array_equal(bias, np.ravel(model.intercept_))


@pytest.mark.parametrize(
    "name", ["spirals", "dropout", "small batches", "linear, online", "perceptron, online"]
)
def test_steps_by_batch_and_back_in_time_change_no_bit(name):
    address = ADDRESSES[name]
    straight = run_to(address)
    run = networks.begin(read(address), data_sets.make(data_sets.key(read(address))))
    n, end = run.n_batches, straight.where
    for epoch in range(3):
        for batch in range(n):
            run.go(epoch, batch + 1, 10)
            assert 1 <= len(run.last_batch) <= run.batch_size
    run.go(4, 0, 10)
    assert len(run.last_batch) == 0 or n == 1
    run.go(1, min(1, n - 1), 10)
    assert run.where <= (1, n)
    run.go(end.epoch, 0, 10)
    np.testing.assert_array_equal(run.parameters, straight.parameters)
    assert run.where == end


def test_the_program_does_the_same(capsys):
    for name in ("spirals", "xor", "parabola", "features", "perceptron"):
        run = run_to(ADDRESSES[name])
        for language in ("en", "zh"):
            made = {}
            exec(program(run.settings, run.data, language), made)
        model = made["model"]
        if run.settings.model == "network":
            np.testing.assert_array_equal(model.params_, run.parameters)
        else:
            np.testing.assert_array_equal(np.ravel(model.coef_), run.layers[0][0].T.ravel())
    made = {}
    run = run_to(points("0,0,0\n0,1,1\n1,0,1\n1,1,0\n0.5,0.5,0") + "&test=0.2&epoch=4")
    exec(program(run.settings, run.data, "en"), made)
    np.testing.assert_array_equal(made["model"].params_, run.parameters)
    assert "train" in capsys.readouterr().out


LINE = "\n".join(f"{i / 20},{i % 7 / 7}" for i in range(20))


@pytest.mark.parametrize("address", ["data=csv", "data=csv&columns=0,1", "data=drawn&box=0,1,0,1"])
@pytest.mark.parametrize("features", ["x1,x2", "x1,x1x1", "x2,x1x2"])
def test_on_a_line_there_is_no_x2(address, features):
    run = run_to(f"{address}&features={features}&hidden=3&epoch=2&table={table.encode(LINE)}")
    assert len(run.layers[0][0]) == (2 if "x1x1" in features else 1)
    made = {}
    exec(program(run.settings, run.data, "en"), made)
    np.testing.assert_array_equal(made["model"].params_, run.parameters)


@pytest.mark.parametrize("model", ["network&hidden=6", "linear&lr=0.01", "perceptron"])
def test_the_program_of_images_does_the_same(model, small_images):
    run = run_to(f"data=digits&model={model}&epoch=2", budget=10)
    made = {}
    exec(program(run.settings, run.data, "en"), made)
    found = made["model"]
    if run.settings.model == "network":
        np.testing.assert_array_equal(found.params_, run.parameters)
    else:
        np.testing.assert_array_equal(found.coef_.T.ravel(), run.layers[0][0].ravel())
        assert run.task.X.max() == 1


def test_deltas_are_those_of_the_course():
    """Mean |t - y| y (1 - y) of (2.41) at the output, and (2.42) below, of a sigmoid network."""
    run = run_to(f"{XOR}&epoch=50")
    outputs = run.outputs(run.data.points)
    y = outputs[-1]
    out = (run.data.y[:, np.newaxis] - y) * y * (1 - y)
    hidden = out @ run.layers[1][0].T * outputs[0] * (1 - outputs[0])
    for found, own in zip(run.deltas(), (hidden, out), strict=True):
        np.testing.assert_allclose(found, np.abs(own).mean(axis=0), rtol=1e-9)


def test_a_race_ends_level(page):
    settings = read(ADDRESSES["spirals"])
    names = [name for name, why in fastnn.available_backends().items() if why is None]
    race = Race(settings, data_sets.make(data_sets.key(settings)), names, 20)
    told = race.turn()
    states = [lane["state"] for lane in told["lanes"]]
    assert states == ["running", "starting", *["waiting"] * (len(names) - 2)][: len(names)]
    while not told["done"]:
        told = race.turn()
    assert [lane["name"] for lane in told["lanes"]] == names
    for lane in told["lanes"]:
        assert lane["epoch"] == 20
        assert lane["rate"] > 0
        assert lane["difference"] < 1e-9


def test_a_training_that_diverges_says_so(page):
    header, arrays = page.ask("set", settings="data=parabola&solver=sgd&lr=300&epoch=200&act=relu")
    while not header["done"]:
        header, arrays = page.ask("go", epoch=200)
    assert header["reason"] == "diverged"
    assert "line" not in arrays
    for epoch in (header["epoch"], 200):  # it is no state to go on from
        header, _ = page.ask("go", epoch=epoch)
        assert header["reason"] == "diverged"
    assert "diverged" in page.ask("file", kind="model")[0]["error"]["en"]
    assert page.ask("go", epoch=0)[0]["reason"] == ""


# Protocol


def test_a_frame_holds_what_a_page_draws(page):
    header, arrays = page.ask("set", settings="data=spirals&hidden=5,3&epoch=2")
    while not header["done"]:
        header, arrays = page.ask("go", epoch=2)
    assert header["sizes"] == [2, 5, 3, 1]
    assert arrays["field"].shape == (72, 72)
    assert arrays["units"].shape == (9, 36, 36)
    assert arrays["w1"].shape == (5, 3)
    assert [row[0] for row in arrays["curve"].tolist()] == [0, 1, 2]
    # The picture is above its points: where x2 is large, there the first lines are.
    header, arrays = page.ask("set", settings="data=four&model=perceptron&lr=0.1&epoch=50")
    while not header["done"]:
        header, arrays = page.ask("go", epoch=50)
    assert arrays["field"][0, -1] == 255
    assert arrays["field"][-1, 0] == 0


@pytest.mark.parametrize("name", ["four", "parabola", "clouds"])
def test_the_same_address_gives_the_same_numbers(page, name):
    address = f"data={name}&hidden=6&epoch=30"
    told = []
    for asking in (page, Page()):
        header, _ = asking.ask("set", settings=address)
        while not header["done"]:
            header, _ = asking.ask("go", epoch=30)
        told.append([header[n] for n in ("loss", "test_loss", "accuracy", "deltas")])
    assert told[0] == told[1]


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_gives_the_same_numbers_on_every_back_end(address):
    names = [name for name, why in fastnn.available_backends().items() if why is None]
    runs = [run_to(f"{address}&backend={name}") for name in names]
    for run in runs:
        np.testing.assert_allclose(run.parameters, runs[0].parameters, rtol=0, atol=1e-9)
        assert run.where == runs[0].where


def test_pictures_are_not_drawn_by_loops(page, monkeypatch):
    for name in ("mlp_forward", "mlp_evaluate", "mlp_loss_gradient"):
        monkeypatch.delattr(f"fastnn.backends.python.{name}")
    header, arrays = page.ask("set", settings="data=xor&backend=python&epoch=1")
    assert header["backend"] == "python"
    assert arrays["field"].shape == (72, 72)


def test_a_page_that_is_closed_is_forgotten_at_once(page):
    """No cycle of references keeps its states until the collector comes by."""
    page.ask("set", settings="data=xor&epoch=3")
    page.ask("race", epochs=2)
    page.ask("race-go")
    own = [weakref.ref(kept) for kept in (page.session, page.session._run, page.session._race)]
    gc.disable()
    try:
        page.session = None
        assert [ref() for ref in own] == [None] * 3
    finally:
        gc.enable()


def test_three_classes_have_a_colour_each(page):
    text = "0,0,0\n0,1,1\n1,0,2\n0.1,0.1,0\n0,0.9,1\n0.9,0,2"
    header, arrays = page.ask("set", settings=points(text) + "&epoch=200&lr=0.1")
    while not header["done"]:
        header, arrays = page.ask("go", epoch=200)
    assert header["accuracy"] == 1
    assert set(np.unique(arrays["field"])) == {0, 1, 2}
    assert arrays["sure"].shape == (72, 72)


def test_a_page_takes_its_model_along(page, tmp_path):
    page.ask("set", settings="data=moons&hidden=4&epoch=3")
    page.ask("go", epoch=3)
    header, arrays = page.ask("file", kind="model")
    path = tmp_path / header["name"]
    path.write_bytes(arrays["content"].tobytes())
    assert fastnn.load(path).n_epochs_ == 3
    assert "error" in page.ask("file", kind="../etc/passwd")[0]
    for _ in range(session.MOST_FILES):
        session._making.acquire()  # other pages' files, which may take a minute
    assert "Other pages" in page.ask("file", kind="model")[0]["error"]["en"]
    session._making.release(session.MOST_FILES)
    assert "error" not in page.ask("file", kind="model")[0]


def test_every_export_is_made(page):
    """Each button's file; whether the numbers are right, tests/test_export*.py says of each."""
    page.ask("set", settings="data=moons&hidden=4&epoch=3")
    for kind in page.ask("choices")[0]["exports"]:
        header, arrays = page.ask("file", kind=kind)
        if "error" in header:
            assert "pip install" in header["error"]["en"]  # of an extra that is not here
            continue
        assert header["name"].startswith("model.")
        assert len(arrays["content"]) > 500
    header, arrays = page.ask("file", kind="numpy")
    made = {}
    exec(arrays["content"].tobytes().decode(), made)
    run = page.session._run
    X = run.data.points[:50]
    np.testing.assert_allclose(made["predict_proba"](X)[:, 1], run.outputs(X)[-1][:, 0], rtol=1e-6)


PASSED = "hours,sleep,passed\n" + "\n".join(
    f"{h},{s / 10},{'yes' if 10 * h + s > 130 else 'no'}"
    for h in range(1, 12)
    for s in (40, 65, 80)
)


@pytest.mark.parametrize(
    "chosen",
    [
        *("hidden=6&epoch=60", "model=perceptron&epoch=60", "features=x2&hidden=6&epoch=60"),
        *("columns=0,1&hidden=6&epoch=60", "columns=1,2,0&hidden=&epoch=60"),
        *("model=linear&lr=0.001&epoch=60", "columns=0,1&model=linear&lr=0.001&epoch=60"),
    ],
)
def test_what_is_taken_along_of_a_file_knows_its_numbers_and_labels(page, tmp_path, chosen):
    text = PASSED.replace("yes", "1.5").replace("no", "0.5") if "1,2,0" in chosen else PASSED
    address = f"data=csv&test=0&{chosen}&table={table.encode(text)}"
    run = run_to(address)
    own, is_linear = run.data.own, run.settings.model == "linear"
    header, _ = page.ask("set", settings=address)
    while not header["done"]:
        header, _ = page.ask("go", epoch=60)
    header, arrays = page.ask("file", kind="model")
    assert not header["is_scaled"]
    path = tmp_path / header["name"]
    path.write_bytes(arrays["content"].tobytes())
    inputs = own.X[:, 1:] if "features=x2" in chosen else own.X
    predicted = fastnn.load(path).predict(inputs)

    outputs = run.outputs(models.inputs_of(run.settings, run.data, run.data.train))[-1][:, 0]
    if not run.data.classes:
        middle, half = own.target
        np.testing.assert_allclose(predicted, outputs * half + middle, rtol=1e-9)
    elif is_linear:
        np.testing.assert_allclose(predicted, outputs, rtol=1e-9)
    else:
        limit = 0 if run.settings.model == "perceptron" else 0.5
        assert predicted.tolist() == np.where(outputs > limit, "yes", "no").tolist()
        if chosen.startswith("hidden"):
            assert (predicted == own.y).all()

    made = {}
    exec(program(run.settings, run.data, "en"), made)
    if run.settings.model == "network":
        np.testing.assert_array_equal(made["model"].params_, run.parameters)
    answer = program(run.settings, run.data, "zh").strip().rpartition("print(")[2][:-1]
    told = eval(answer, made)
    if is_linear and run.data.classes:
        predicted = np.where(predicted > 0, "yes", "no")
    if run.data.classes:
        assert told.tolist() == predicted[:3].tolist()
    else:
        np.testing.assert_allclose(told, predicted[:3], rtol=1e-9)


def test_a_model_of_products_says_that_its_inputs_are_scaled(page):
    page.ask("set", settings=f"data=csv&features=x1,x1x2&hidden=3&table={table.encode(PASSED)}")
    assert page.ask("file", kind="model")[0]["is_scaled"]
    run = page.session._run
    made = {}
    exec(program(run.settings, run.data, "en"), made)
    assert made["scaled"](run.data.own.X).max() == 1
    assert set(made["model"].classes_) == {"no", "yes"}


def test_a_drawn_digit_is_named(page, small_images):
    header, _ = page.ask("set", settings="data=digits&hidden=24&epoch=8")
    while not header["done"]:
        header, _ = page.ask("go", epoch=8)
    assert header["test_accuracy"] > 0.85
    side = 100
    ink = np.zeros((side, side), np.uint8)
    ink[15:85, 46:54] = 255  # a one
    header, arrays = page.ask("digit", side=side, ink=base64.b64encode(ink.tobytes()).decode())
    assert header["named"] == 1
    assert arrays["image"].shape == (8, 8)
    ink[:] = 0
    assert "error" in page.ask("digit", side=side, ink=base64.b64encode(ink).decode())[0]
    assert "error" in page.ask("digit", side=side, ink="####")[0]


def test_a_drawing_fills_its_box_and_is_centred():
    side = images.load().side
    ink = np.zeros((60, 90), np.uint8)
    ink[3:43, 70:80] = 200
    image = images.from_drawing(ink).reshape(side, side)
    rows, columns = np.nonzero(image)
    assert np.ptp(rows) + 1 == round(side * images.INK)
    assert abs(rows.mean() - (side - 1) / 2) <= 1
    assert abs(columns.mean() - (side - 1) / 2) <= 1
    assert image.max() == images.load().X.max()


def test_a_network_of_a_million_weights_is_refused(page):
    header, _ = page.ask("set", settings="data=digits&hidden=64,64,64,64,64,64,64,64")
    assert "error" not in header
    many = replace(read("data=digits"), hidden=(2000,), act=("relu",))
    with pytest.raises(Problem, match="at most"):
        networks.begin(many, data_sets.make(data_sets.key(many)))


def test_what_is_too_slow_for_loops_is_refused_and_left_out_of_a_race(page, monkeypatch):
    settings = "data=spirals&n=2000&batch=0&hidden=64,64,64"
    assert "slow" in page.ask("set", settings=settings + "&backend=python")[0]["error"]["en"]
    assert "error" not in page.ask("set", settings=settings)[0]
    page.ask("race", epochs=1)
    told = {"done": False}
    while not told["done"]:
        told = page.ask("race-go")[0]
    states = {lane["name"]: lane["state"] for lane in told["lanes"]}
    assert states["python"] == "left out"
    monkeypatch.setattr(networks, "MOST_OF_PYTHON", 100)
    for model in ("linear", "perceptron"):
        settings = f"data=clouds&model={model}&backend=python&batch="
        assert "slow" in page.ask("set", settings=settings + "0")[0]["error"]["en"]
        assert "error" not in page.ask("set", settings=settings + "1")[0]
    assert "done" in states.values()

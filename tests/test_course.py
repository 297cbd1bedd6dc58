"""The course's printed results (systems 1, 2, 3, 6, 7), on every back end; all formulas."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import fastnn
from fastnn import course
from fastnn.backends.codes import ACTIVATIONS, LOSSES, OPTIMIZERS
from fastnn.course import report

# System 3: weights printed after epochs 1 to 6.
SYSTEM_3 = np.array(
    [
        [-0.06390143, 0.58589308, 0.25649672],
        [-0.16390143, 0.43589308, 0.15649672],
        [-0.26390143, 0.28589308, 0.05649672],
        [-0.36390143, 0.13589308, -0.04350328],
        [-0.31390143, 0.28589308, 0.10649672],
        [-0.41390143, 0.13589308, 0.00649672],
    ]
)
CORNERS = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])


@pytest.mark.parametrize("online", [True, False])
def test_systems_1_and_2(backend, online):
    model = fastnn.Perceptron(
        eta0=1.0, online=online, fit_intercept=False, max_iter=100, record_history=True
    )
    model.fit([[1, 0, -1]], [1], coef_init=[[-5, 0, 0]])
    assert model.history_[:, 0].tolist() == [[-3, 0, -2], [-1, 0, -4]]
    assert model.converged_
    assert model.predict([[1, 0, -1]]).tolist() == [1]


def test_system_3(backend):
    model = fastnn.Perceptron(eta0=0.1, online=False, max_iter=100, record_history=True)
    X, y = [[3, 3], [4, 3], [1, 1], [2, 1]], [1, 1, -1, -1]
    model.fit(X, y, coef_init=[SYSTEM_3[0, 1:]], intercept_init=SYSTEM_3[0, :1])
    assert model.n_iter_ == 5
    assert np.abs(model.history_[:, 0] - SYSTEM_3[1:]).max() < 5e-9
    assert model.predict(X).tolist() == y


def test_system_4_approaches_least_squares(backend):
    X = np.array([[3.0, 3], [4, 3], [1, 1], [2, 1]])
    y = np.array([1.0, 1, -1, -1])
    model = fastnn.LinearNetwork(eta0=0.1, max_iter=5000, random_state=0).fit(X, y)
    expected = np.linalg.lstsq(np.column_stack([np.ones(4), X]), y, rcond=None)[0]
    assert np.abs([model.intercept_, *model.coef_] - expected).max() < 1e-2


def test_system_6(backend):
    x1, x2 = CORNERS.T
    features = np.column_stack([x1, x2, x1 * x1, x1 * x2, x2 * x2])
    model = fastnn.LinearNetwork(eta0=0.1, max_iter=1000, random_state=0)
    outputs = model.fit(features, [-1.0, 1, 1, -1]).predict(features)
    assert np.abs(outputs - [-0.987, 0.991, 0.991, -0.993]).max() < 0.02


def test_system_7_begins_as_printed(backend):
    """Loss near 0.219 at epoch 0 and falling; the full run is in test_parity.py."""
    X, y = fastnn.load_xor()
    model = fastnn.MLPClassifier(
        (10,),
        "sigmoid",
        loss="half_squared_error",
        solver="sgd",
        momentum=0,
        learning_rate_init=0.1,
        batch_size="full",
        weight_init="uniform",
        shuffle=False,
        max_iter=2000,
        tol=None,
        random_state=0,
    ).fit(X, y)
    assert model.loss_curve_[0] == pytest.approx(0.219, abs=0.03)
    assert model.loss_curve_[-1] < 0.126


def test_truth_table_of_1_2_2():
    """A bias of -0.6 and weights of 0.5: 1 where at least two of three inputs are 1."""
    X = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    y = np.where(X.sum(axis=1) >= 2, 1, -1)
    model = fastnn.Perceptron().fit(X, y, coef_init=[[0.5] * 3], intercept_init=[-0.6])
    assert model.n_iter_ == 0
    assert (model.predict(X) == y).all()


@pytest.mark.parametrize("language", course.LANGUAGES)
def test_every_formula_stands_in_the_report(language, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "SYSTEMS", ())
    page = report.write_report(tmp_path, language).read_text(encoding="utf-8")
    tables = [ElementTree.fromstring(t) for t in re.findall("<table>.*?</table>", page, re.DOTALL)]
    for table, rows in zip(tables, (ACTIVATIONS, LOSSES, OPTIMIZERS), strict=True):
        head, *body = table.iter("tr")
        words = course.texts(language)["appendix"]
        assert {cell.text for cell in head} <= set(words.values())
        for line, row in zip(body, rows, strict=True):
            name, *formulas, source = line
            assert name.find("code").text == row.name
            assert all(alias in "".join(name.itertext()) for alias in row.aliases)
            assert source.text == row.source
            assert len(formulas) == len(head) - 2
            for cell in formulas:  # nothing of TeX is left
                text = "".join(cell.itertext())
                assert text
                assert not set("\\{}&$") & set(text.replace("{", "", 1))  # one brace of cases

"""Distorted images: against SciPy's filters, across back ends, in a fit, and the decaying rate."""

import numpy as np
import pytest
from scipy import ndimage

import fastnn
from fastnn import backends
from fastnn.backends.codes import STREAM_DISTORTION
from fastnn.backends.python.formulas import philox
from fastnn.backends.shared import gaussian_weights

REFERENCE = backends.kernels("python")
SHAPES = [(1, 1), (9, 7), (6, 13), (21, 37)]


def images(rng, h, w, n=5):
    return rng.integers(0, 256, (n, h * w), np.uint8)


def by_scipy(image, distortion, angle_limit, seed, epoch, sample):
    """Return a distorted image as SciPy's filters and interpolation give it."""
    h, w, _, scaling, sigma, alpha = distortion
    stream = STREAM_DISTORTION << 16
    words = [
        philox((block, sample, epoch, stream), (seed & 0xFFFFFFFF, seed >> 32))
        for block in range((4 + 2 * h * w + 3) // 4)
    ]
    u = np.ravel(words)[: 4 + 2 * h * w] / 2**31 - 1
    fields = u[4:].reshape(2, h, w)
    weights = gaussian_weights(sigma)
    for axis in (1, 2):
        fields = ndimage.correlate1d(fields, weights, axis=axis, mode="constant")
    angle = u[0] * angle_limit
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([(h - 1) / 2, (w - 1) / 2])[:, np.newaxis]
    grid = np.indices((h, w)).reshape(2, -1) - middle
    places = (turn @ grid) / (1 + scaling * u[1:3])[:, np.newaxis] + middle
    places += alpha * fields.reshape(2, -1)
    values = ndimage.map_coordinates(
        image.reshape(h, w).astype(float), places, order=1, mode="grid-constant"
    )
    return np.floor(values + 0.5)


@pytest.mark.parametrize(("h", "w"), SHAPES)
def test_the_reference_is_what_scipy_gives(rng, h, w):
    X = images(rng, h, w)
    distortion = fastnn.ImageDistortion(h, w, scaling=0.2, sigma=1.7, alpha=5.0)
    angles = rng.random(len(X))
    found = REFERENCE.distort_images(X, distortion, angles, 2**40 + 5, 3, 1)
    for i, image in enumerate(X):
        expected = by_scipy(image, distortion, angles[i], 2**40 + 5, 3, i)
        assert np.abs(found[i] - expected).max() <= 1  # a value on the edge between two bytes
        assert (found[i] != expected).mean() < 0.02


@pytest.mark.parametrize(("h", "w"), SHAPES)
def test_back_ends_agree(compiled, rng, h, w):
    X = images(rng, h, w, 250)
    distortion = fastnn.ImageDistortion(h, w, scaling=0.2, sigma=3.0, alpha=20.0)
    arguments = (distortion, rng.random(len(X)), 2**63 + 11, 2**31)
    one, two = (compiled.distort_images(X, *arguments, n) for n in (1, 2))
    assert np.array_equal(one, two)
    expected = REFERENCE.distort_images(X[:20], *arguments, 1)
    difference = np.abs(one[:20].astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_nothing_to_do_leaves_the_images_alone(rng):
    X = images(rng, 9, 7)
    still = fastnn.ImageDistortion(9, 7, rotation=0, scaling=0, alpha=0)
    for name, reason in fastnn.available_backends().items():
        if reason is None and name != "numba-cuda":
            kernels = backends.kernels(name)
            assert np.array_equal(kernels.distort_images(X, still, np.zeros(5), 1, 1, 1), X)


def classifier(**changes):
    given = {"max_iter": 3, "tol": None, "random_state": 1, "batch_size": 4, "dtype": "float64"}
    distortion = fastnn.ImageDistortion(4, 5, (10, 20, 30), sigma=1.0, alpha=2.0)
    return fastnn.MLPClassifier((6,), **{**given, "distortion": distortion, **changes})


@pytest.fixture
def pictures(rng):
    return images(rng, 4, 5, 30), np.arange(30) % 3


def test_a_fit_on_distorted_images_agrees_with_the_reference(compiled_backend, pictures):
    found = classifier(learning_rate_decay=0.5).fit(*pictures).params_
    with fastnn.use_backend("python"):
        expected = classifier(learning_rate_decay=0.5).fit(*pictures).params_
        plain = classifier(learning_rate_decay=0.5, distortion=None).fit(*pictures).params_
    assert np.abs(found - expected).max() < 1e-9
    assert np.abs(found - plain).max() > 1e-3


def test_a_fit_on_images_that_are_mostly_0(compiled_backend, rng):
    """As those of digits are: inputs like these are compressed where they are not distorted."""
    X, y = np.zeros((12, 80), np.uint8), np.arange(12) % 2
    X[:, 33:38] = rng.integers(1, 256, (12, 5))
    given = {"distortion": fastnn.ImageDistortion(8, 10)}
    found = classifier(**given).fit(X, y).params_
    with fastnn.use_backend("python"):
        expected = classifier(**given).fit(X, y).params_
    assert np.abs(found - expected).max() < 1e-9


def test_each_epoch_is_its_own(backend, pictures):
    """Every epoch's images and rate follow from its number: going on is as never stopping."""
    whole = classifier(max_iter=5, learning_rate_decay=0.7).fit(*pictures)
    part = classifier(max_iter=2, learning_rate_decay=0.7, warm_start=True).fit(*pictures)
    part.set_params(max_iter=3).fit(*pictures)
    assert np.array_equal(whole.params_, part.params_)


def test_decay_multiplies_the_rate_after_each_epoch(pictures):
    X, y = pictures
    given = {"distortion": None, "solver": "sgd", "learning_rate_init": 0.1}
    found = classifier(**given, learning_rate_decay=0.5).fit(X, y)
    by_hand = classifier(**given, max_iter=1, warm_start=True)
    for rate in (0.1, 0.05, 0.025):
        by_hand.set_params(learning_rate_init=rate).fit(X, y)
    assert np.array_equal(found.params_, by_hand.params_)


def test_saving_keeps_the_distortion(pictures, tmp_path):
    model = classifier().fit(*pictures)
    model.save(tmp_path / "m")
    assert fastnn.load(tmp_path / "m").distortion == model.distortion


@pytest.mark.parametrize(
    ("distortion", "message"),
    [
        ("much", "expected None or an ImageDistortion"),
        (fastnn.ImageDistortion(5, 5), "height=5 and width=5"),
        (fastnn.ImageDistortion(4, 5, scaling=1.0), "scaling=1.0"),
        (fastnn.ImageDistortion(4, 5, sigma=0), "sigma=0"),
        (fastnn.ImageDistortion(4, 5, alpha=np.nan), "alpha=nan"),
        (fastnn.ImageDistortion(4, 5, "far"), "rotation='far'"),
        (fastnn.ImageDistortion(4, 5, (1, 2)), "rotation has 2 angles"),
    ],
)
def test_errors(pictures, distortion, message):
    with pytest.raises(ValueError, match=message):
        classifier(distortion=distortion).fit(*pictures)


def test_only_bytes_can_be_distorted(pictures):
    X, y = pictures
    with pytest.raises(ValueError, match="expected X of uint8"):
        classifier().fit(X / 255, y)


@pytest.mark.parametrize("decay", [0, -1, np.inf, "slow"])
def test_bad_decay(pictures, decay):
    with pytest.raises(ValueError, match="learning_rate_decay"):
        classifier(learning_rate_decay=decay).fit(*pictures)


def test_time_limit(pictures):
    model = classifier(max_iter=1000).fit(*pictures, callbacks=[fastnn.TimeLimit(1e-6)])
    assert (model.n_iter_, model.stop_reason_) == (1, "callback")
    with pytest.raises(ValueError, match="seconds=0"):
        fastnn.TimeLimit(0)

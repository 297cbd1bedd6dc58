"""scikit-learn's searches by successive halving, with candidates and folds trained together.

They are experimental there: to import this module is to say that one knows.
"""

from sklearn import model_selection
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

from .search import TrainsTogether


class HalvingGridSearchCV(TrainsTogether, model_selection.HalvingGridSearchCV):
    """scikit-learn's `HalvingGridSearchCV`, faster for networks of fastnn.

    Parameters, attributes and results are scikit-learn's; what differs is what `GridSearchCV` says.
    The candidates of an iteration are trained together. `resource="max_iter"` halves by epochs.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.MLPClassifier((8,), tol=None, random_state=0)
    >>> rates = {"learning_rate_init": [1e-6, 1e-5, 0.01]}
    >>> search = fastnn.HalvingGridSearchCV(
    ...     model, rates, cv=2, resource="max_iter", min_resources=1, max_resources=3
    ... )
    >>> search.fit(X, y).best_params_["learning_rate_init"]
    0.01
    """


class HalvingRandomSearchCV(TrainsTogether, model_selection.HalvingRandomSearchCV):
    """scikit-learn's `HalvingRandomSearchCV`, faster for networks of fastnn: as the other one.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.MLPClassifier((8,), tol=None, random_state=0)
    >>> search = fastnn.HalvingRandomSearchCV(
    ...     model,
    ...     {"alpha": [0, 0.1, 1]},
    ...     n_candidates=3,
    ...     cv=2,
    ...     resource="max_iter",
    ...     min_resources=1,
    ...     max_resources=3,
    ...     random_state=0,
    ... )
    >>> search.fit(X, y).n_candidates_
    [3, 1]
    """

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
    """


class HalvingRandomSearchCV(TrainsTogether, model_selection.HalvingRandomSearchCV):
    """scikit-learn's `HalvingRandomSearchCV`, faster for networks of fastnn: as the other one."""

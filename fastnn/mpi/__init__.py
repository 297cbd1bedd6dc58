"""One network trained by several processes that have the samples between them: MPI, by mpi4py.

`ranks` is what the processes tell each other; `plan` says which rank computes what of a batch, and
brings each sample to the rank that needs it; `task` trains an epoch; `fit` is a whole fit, with
its checks; `measuring` evaluates a network on samples that lie on all ranks, also for the callbacks
of a fit, which run on rank 0. Nothing else in the package knows of ranks.
"""

from .fit import fit_on_ranks as fit_on_ranks
from .measuring import evaluate_on_ranks as evaluate_on_ranks

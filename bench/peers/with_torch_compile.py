"""PyTorch with the model compiled by `torch.compile`."""

import torch

from . import with_pytorch


def prepare(workload, n_threads):
    return with_pytorch.prepare(workload, n_threads, torch.compile)

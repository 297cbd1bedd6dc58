"""PyTorch with the model compiled by `torch.compile`, on a GPU with CUDA graphs."""

import os
from functools import partial

import torch

from . import with_pytorch
from .process import ON_GPU


def prepare(workload, n_threads):
    mode = "reduce-overhead" if ON_GPU in os.environ else "default"
    return with_pytorch.prepare(workload, n_threads, partial(torch.compile, mode=mode))

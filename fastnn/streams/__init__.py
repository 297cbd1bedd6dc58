"""Samples that are not all in memory: tables in files, and batches that come one after the other.

- `stored`: what such a table is, which part of it is read when, and how large a part is
- `batches`: an iterable of batches, each time from its beginning
- `windows`: parts become samples for the kernels, in a window that is filled again and again
- `data`: the checks before a fit
- `task`: the training, window by window
- `measure`: outputs, losses and scores, part by part

Above are the estimators, below `training`: a window is what an epoch is there.
"""

"""Sphinx: `sphinx-build -W docs out/docs` writes the documentation as pages for a browser."""

import re
from importlib import metadata
from typing import Any

project = "fastnn"
author = "the fastnn maintainers"
copyright = f"{author}, MIT license"
release = metadata.version("fastnn")
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"fastnn {release}"
default_role = "code"  # `this` in docstrings
myst_heading_anchors = 3

autodoc_default_options = {
    "members": True,
    # Up to scikit-learn's classes, and without what it sets on ours.
    "inherited-members": "_MetadataRequester, ClassifierMixin, RegressorMixin, BaseSearchCV, "
    "tuple, ValueError",
    "exclude-members": "get_params, set_params, get_metadata_routing, set_fit_request, "
    "set_partial_fit_request, set_score_request",
}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more
numpydoc_show_class_members = False


def fit_for_pages(app: Any, what: str, name: str, of: Any, options: Any, lines: list) -> None:
    """Make a docstring reStructuredText: it is written to be read at the prompt."""
    rules = [i for i, line in enumerate(lines) if re.fullmatch("[= ]+", line) and "= =" in line]
    if rules:  # what differs from scikit-learn's: a page has it
        lines[rules[0] : rules[-1] + 1] = ["see :doc:`from-scikit-learn`."]
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):  # coef_ would be a link
            lines[i] = re.sub(r"(?<![`\w.\\])([A-Za-z]\w*_)(?![\w`])", r"``\1``", line)


def setup(app: Any) -> None:
    """Come after numpydoc."""
    app.connect("autodoc-process-docstring", fit_for_pages, priority=900)

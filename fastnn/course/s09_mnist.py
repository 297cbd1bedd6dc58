"""System 9: MNIST with dropout, Adam and checkpoints: 784-512-10, ReLU, softmax.

The first program saves after each epoch, the second after every fifth, and goes on from there.
"""

import tempfile
from pathlib import Path

import numpy as np

import fastnn
from fastnn.course.images import checkpointed, resumed, show_images, show_training


def run(lesson):
    data = fastnn.load_mnist()
    show_images(lesson, data, [str(digit) for digit in range(10)])
    model = fastnn.MLPClassifier(
        hidden_layer_sizes=(512,),
        dropout=0.2,
        batch_size=32,
        learning_rate_init=0.001,
        max_iter=lesson.epochs(10, 2),
        input_scale=1 / 255,  # the pixels stay bytes; the network sees 0 to 1
        tol=None,
        random_state=lesson.seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        log = checkpointed(lesson, model, data, Path(folder, "mnist-{epoch:04d}.safetensors"))
        again = resumed(lesson, model, data, Path(folder, "every-5-{epoch:04d}.safetensors"))
    same = np.array_equal(again.params_, model.params_)
    lesson.print("resumed, same weights as without a stop:", same)
    show_training(lesson, model, data, log, [str(digit) for digit in range(10)])

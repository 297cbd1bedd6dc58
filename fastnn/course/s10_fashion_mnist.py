"""System 10: Fashion-MNIST: 784-128-10, ReLU, softmax, Adam; training and test accuracy part.

Five epochs, saved one by one; the second program trains ten and goes on from the fifth.
"""

import tempfile
from pathlib import Path

import fastnn
from fastnn.course.images import checkpointed, resumed, show_images, show_training
from fastnn.datasets import FASHION_CLASSES


def run(lesson):
    data = fastnn.load_fashion_mnist()
    show_images(lesson, data, FASHION_CLASSES)
    model = fastnn.MLPClassifier(
        hidden_layer_sizes=(128,),
        batch_size=32,
        learning_rate_init=0.001,
        max_iter=lesson.epochs(5, 2),
        input_scale=1 / 255,
        tol=None,
        random_state=lesson.seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        log = checkpointed(lesson, model, data, Path(folder, "fashion-{epoch:04d}.safetensors"))
        longer = model.max_iter * 2
        resumed(lesson, model, data, Path(folder, "every-5-{epoch:04d}.safetensors"), longer)
    show_training(lesson, model, data, log, FASHION_CLASSES)

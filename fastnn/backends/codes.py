"""The formulas: one row per activation, loss and optimizer.

Here a formula has its name and all that is said of it (rows.py says in what words); the help
texts, the checks, the command line, the course's report, saved files and the tests read it here,
and setup.py writes the codes for Cython from it. A new formula is a row here and a place in the
`formulas` of each back end.

The kernels know a formula by its code, its place in the table: a number that no file keeps.
"""

from .rows import Activation, Loss, Parameter, UpdateRule, numbered

_SMOOTHING = Parameter(
    "label_smoothing",
    0.0,
    "a number from 0 to below 1",
    lambda value: 0 <= value < 1,
    "label_smoothing",
)

ACTIVATIONS: tuple[Activation, ...] = numbered(
    Activation(
        "sign",
        "-1, 0 or 1",
        "0",
        r"y = \operatorname{sign} z",
        "course (1.1)",
        "numpy.sign",
        is_step=True,
    ),
    Activation(
        "identity",
        "z",
        "1",
        "y = z",
        "course (1.5)",
        "keras.activations.linear",
        aliases=("purelin", "linear"),
    ),
    Activation(
        "sigmoid",
        "1 / (1 + exp(-z))",
        "y (1 - y)",
        r"y = \frac{1}{1 + e^{-z}}",
        "course (2.8), (2.16)",
        "keras.activations.sigmoid",
        aliases=("logistic",),
        gives_probabilities=True,
    ),
    Activation(
        "tanh",
        "tanh(z)",
        "1 - y^2",
        r"y = \tanh z",
        "LeCun et al. 1998, section 4.4",
        "keras.activations.tanh",
    ),
    Activation(
        "softsign",
        "z / (1 + |z|)",
        r"\frac{1}{(1 + |z|)^2}",
        r"y = \frac{z}{1 + |z|}",
        "Bergstra et al. 2009",
        "keras.activations.softsign",
    ),
    Activation(
        "relu",
        "max(0, z)",
        r"\begin{cases} 1 & z > 0 \\ 0 & z \le 0 \end{cases}",
        r"y = \max(0, z)",
        "Nair & Hinton 2010",
        "keras.activations.relu",
    ),
    Activation(
        "softmax",
        "exp(z_k) / sum_j exp(z_j)",
        r"\frac{\partial y_j}{\partial z_k} = y_j (\delta_{jk} - y_k)",
        r"y_k = \frac{e^{z_k}}{\sum_j e^{z_j}}",
        "Bridle 1990, equation 2",
        "keras.activations.softmax",
        output_only=True,
        gives_probabilities=True,
    ),
    Activation(
        "softplus",
        "ln(1 + exp(z))",
        r"\frac{1}{1 + e^{-z}}",
        r"y = \ln (1 + e^z)",
        "Dugas et al. 2001",
        "keras.activations.softplus",
    ),
    Activation(
        "leaky_relu",
        "z where z > 0, else a z",
        r"\begin{cases} 1 & z > 0 \\ a & z \le 0 \end{cases}",
        r"y = \begin{cases} z & z > 0 \\ a z & z \le 0 \end{cases}",
        "Maas et al. 2013, section 2",
        "keras.activations.leaky_relu",
        parameter=Parameter(
            "negative_slope", 0.01, "a finite number", lambda value: True, "negative_slope"
        ),
    ),
    Activation(
        "elu",
        "z where z > 0, else a (exp(z) - 1)",
        r"\begin{cases} 1 & z > 0 \\ y + a & z \le 0 \end{cases}",
        r"y = \begin{cases} z & z > 0 \\ a (e^z - 1) & z \le 0 \end{cases}",
        "Clevert et al. 2016, equation 15",
        "keras.activations.elu",
        parameter=Parameter("alpha", 1.0, "a number above 0", lambda value: value > 0, "alpha"),
    ),
    Activation(
        "selu",
        "1.0507 z where z > 0, else 1.0507 * 1.67326 (exp(z) - 1)",
        r"\begin{cases} \lambda & z > 0 \\ y + \lambda \alpha & z \le 0 \end{cases}",
        r"y = \lambda \begin{cases} z & z > 0 \\ \alpha (e^z - 1) & z \le 0 \end{cases}",
        "Klambauer et al. 2017, equation 2, constants from its section 2",
        "keras.activations.selu",
    ),
    Activation(
        "gelu",
        "z P(z), P the standard normal distribution function",
        r"\tfrac12 \left(1 + \operatorname{erf} \tfrac{z}{\sqrt 2}\right)"
        r" + \frac{z}{\sqrt{2 \pi}} e^{-z^2 / 2}",
        r"y = \tfrac{z}{2} \left(1 + \operatorname{erf} \tfrac{z}{\sqrt 2}\right)",
        "Hendrycks & Gimpel 2016, section 2 (exact, not by tanh)",
        "keras.activations.gelu",
    ),
    Activation(
        "silu",
        "z / (1 + exp(-z))",
        r"s + y (1 - s), \quad s = \frac{1}{1 + e^{-z}}",
        r"y = \frac{z}{1 + e^{-z}}",
        "Elfwing et al. 2018, equation 8",
        "keras.activations.silu",
        aliases=("swish",),
    ),
    Activation(
        "exponential",
        "exp(z)",
        "y",
        "y = e^z",
        "Nelder & Wedderburn 1972 (the logarithmic link)",
        "keras.activations.exponential",
    ),
)
(
    SIGN,
    IDENTITY,
    SIGMOID,
    TANH,
    SOFTSIGN,
    RELU,
    SOFTMAX,
    SOFTPLUS,
    LEAKY_RELU,
    ELU,
    SELU,
    GELU,
    SILU,
    EXPONENTIAL,
) = range(len(ACTIVATIONS))
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

LOSSES: tuple[Loss, ...] = numbered(
    Loss(
        "half_squared_error",
        "(t - y)^2 / 2",
        r"\tfrac12 \sum_k (t_k - y_k)^2",
        "course (2.2)",
        "keras.losses.mean_squared_error",
        "any",
        "real",
        judge_factor=0.5,
        aliases=("squared_error",),  # scikit-learn's name, with its half
    ),
    Loss(
        "sum_squared_error",
        "(t - y)^2",
        r"\sum_k (t_k - y_k)^2",
        "Legendre 1805",
        "keras.losses.mean_squared_error",
        "any",
        "real",
    ),
    Loss(
        "binary_crossentropy",
        "-t ln y - (1 - t) ln(1 - y)",
        r"-\sum_k \left(t_k \ln y_k + (1 - t_k) \ln (1 - y_k)\right)",
        "Bishop 2006, equation 5.23",
        "keras.losses.binary_crossentropy",
        "classes",
        "fraction",
        outputs=("sigmoid",),
        parameter=_SMOOTHING,
    ),
    Loss(
        "categorical_crossentropy",
        "-t ln y",
        r"-\sum_k t_k \ln y_k",
        "Bishop 2006, equation 5.24",
        "keras.losses.categorical_crossentropy",
        "classes",
        "distribution",
        outputs=("softmax",),
        per_output=False,
        parameter=_SMOOTHING,
    ),
    Loss(
        "sparse_categorical_crossentropy",
        "-ln y_t, t the number of the class",
        r"-\ln y_t",
        "Bishop 2006, equation 5.24",
        "keras.losses.categorical_crossentropy",
        "classes",
        "index",
        outputs=("softmax",),
        per_output=False,
        parameter=_SMOOTHING,
    ),
    Loss(
        "absolute_error",
        "|t - y|",
        r"\sum_k |t_k - y_k|",
        "Laplace 1774",
        "keras.losses.mean_absolute_error",
        "regression",
        "real",
    ),
    Loss(
        "huber",
        "(t - y)^2 / 2 where |t - y| <= a, else a (|t - y| - a / 2)",
        r"\sum_k \begin{cases} \tfrac12 e_k^2 & |e_k| \le a \\ a (|e_k| - \tfrac a2) & |e_k| > a "
        r"\end{cases}, \quad e = t - y",
        "Huber 1964, equation 2",
        "keras.losses.huber",
        "regression",
        "real",
        parameter=Parameter("delta", 1.0, "a number above 0", lambda value: value > 0, "delta"),
    ),
    Loss(
        "quantile",
        "a (t - y) where t > y, else (1 - a) (y - t)",
        r"\sum_k \max (a e_k, (a - 1) e_k), \quad e = t - y",
        "Koenker & Bassett 1978, equation 3.1",
        "sklearn.metrics.mean_pinball_loss",
        "regression",
        "real",
        parameter=Parameter(
            "quantile", 0.5, "a number between 0 and 1", lambda value: 0 < value < 1, "alpha"
        ),
    ),
    Loss(
        "poisson",
        "y - t ln y",
        r"\sum_k (y_k - t_k \ln y_k)",
        "Nelder & Wedderburn 1972",
        "keras.losses.poisson",
        "regression",
        "count",
        outputs=("exponential", "softplus"),
    ),
    Loss(
        "hinge",
        "max(0, 1 - t y)",
        r"\sum_k \max (0, 1 - t_k y_k)",
        "Cortes & Vapnik 1995",
        "keras.losses.hinge",
        "classes",
        "sign",
        outputs=("identity", "tanh", "softsign"),
    ),
)
(
    HALF_SQUARED_ERROR,
    SUM_SQUARED_ERROR,
    BINARY_CROSSENTROPY,
    CATEGORICAL_CROSSENTROPY,
    SPARSE_CATEGORICAL_CROSSENTROPY,
    ABSOLUTE_ERROR,
    HUBER,
    QUANTILE,
    POISSON,
    HINGE,
) = range(len(LOSSES))

OPTIMIZERS: tuple[UpdateRule, ...] = numbered(
    UpdateRule(
        "sgd",
        "w -= r g",
        r"w \leftarrow w - r g",
        "course (2.39)",
        0,
        (),
        "torch.optim.SGD",
    ),
    UpdateRule(
        "momentum",
        "m = b1 m - r g; w += m",
        r"m \leftarrow \beta_1 m - r g, \quad w \leftarrow w + m",
        "Rumelhart et al. 1986, equation 9",
        1,
        ("momentum",),
        "torch.optim.SGD",
    ),
    UpdateRule(
        "adam",
        "m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; "
        "w -= r sqrt(1 - b2^n) / (1 - b1^n) m / (sqrt(v) + epsilon)",
        r"w \leftarrow w - r \frac{\sqrt{1 - \beta_2^n}}{1 - \beta_1^n} "
        r"\frac{m}{\sqrt v + \epsilon}",
        "Kingma & Ba 2015, algorithm 1 in the order of the last lines of its section 2",
        2,
        ("beta_1", "beta_2", "epsilon"),
        "torch.optim.Adam",
    ),
    UpdateRule(
        "nesterov",
        "m = b1 m - r g; w += b1 m - r g",
        r"m \leftarrow \beta_1 m - r g, \quad w \leftarrow w + \beta_1 m - r g",
        "Sutskever et al. 2013, equations 3 and 4, for the point that is looked at",
        1,
        ("momentum",),
        "torch.optim.SGD",
    ),
    UpdateRule(
        "rmsprop",
        "v = b2 v + (1 - b2) g^2; w -= r g / (sqrt(v) + epsilon)",
        r"v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad "
        r"w \leftarrow w - r \frac{g}{\sqrt v + \epsilon}",
        "Tieleman & Hinton 2012, lecture 6.5",
        1,
        ("rho", "epsilon"),
        "torch.optim.RMSprop",
    ),
    UpdateRule(
        "adamw",
        "w -= r weight_decay w; m and v as adam; "
        "w -= r m / (1 - b1^n) / (sqrt(v / (1 - b2^n)) + epsilon)",
        r"w \leftarrow w - r \left(\lambda w + "
        r"\frac{m / (1 - \beta_1^n)}{\sqrt{v / (1 - \beta_2^n)} + \epsilon}\right)",
        "Loshchilov & Hutter 2019, algorithm 2; the decay is of biases too",
        2,
        ("beta_1", "beta_2", "epsilon", "weight_decay"),
        "torch.optim.AdamW",
    ),
    UpdateRule(
        "nadam",
        "u_n = b1 (1 - 0.96^(n / 250) / 2), p_n = u_1 ... u_n; m and v as adam; "
        "w -= r (u_(n+1) m / (1 - p_(n+1)) + (1 - u_n) g / (1 - p_n)) "
        "/ (sqrt(v / (1 - b2^n)) + epsilon)",
        r"w \leftarrow w - r \frac{u_{n+1} m / (1 - p_{n+1}) + (1 - u_n) g / (1 - p_n)}"
        r"{\sqrt{v / (1 - \beta_2^n)} + \epsilon}, \quad "
        r"u_n = \beta_1 \left(1 - \tfrac12 0.96^{n / 250}\right), \ p_n = \prod_{i \le n} u_i",
        "Dozat 2016, algorithm 2 with the schedule of its section 3",
        2,
        ("beta_1", "beta_2", "epsilon"),
        "torch.optim.NAdam",
    ),
    UpdateRule(
        "adamw_keras",
        "w -= r weight_decay w, and as adam",
        r"w \leftarrow w - r \left(\lambda w + \frac{\sqrt{1 - \beta_2^n}}{1 - \beta_1^n} "
        r"\frac{m}{\sqrt v + \epsilon}\right)",
        "Loshchilov & Hutter 2019, algorithm 2, but for epsilon, which stands as in adam",
        2,
        ("beta_1", "beta_2", "epsilon", "weight_decay"),
        "keras.optimizers.AdamW",
    ),
)
SGD, MOMENTUM, ADAM, NESTEROV, RMSPROP, ADAMW, NADAM, ADAMW_KERAS = range(len(OPTIMIZERS))
STORE_GRADIENT = 100  # in place of an optimizer: the gradient goes into the first moment

# What a stream of random numbers is for: the highest word of the Philox counter.
STREAM_WEIGHTS = 1
STREAM_SHUFFLE = 2
STREAM_DROPOUT = 3
STREAM_DISTORTION = 4

"""Optimizers and schedules: what each takes."""

from cnntrain.config.components.parameters import REQUIRED, Component, Parameter

LR = Parameter("float", REQUIRED, "learning rate at the schedule's peak", above=0)
DECAY = Parameter("float", 0.0, "weight decay", low=0)
DECAY_NORM_BIAS = Parameter("bool", True, "apply weight decay to norm layers and biases too")
BETAS = Parameter("numbers", (0.9, 0.999), "decay of the running means of gradient and squared gradient", low=0, high=1)
EPS = Parameter("float", 1e-8, "added to the denominator", above=0)


def adam(meaning: str, weight_decay: float) -> Component:
    return Component(
        meaning,
        {
            "lr": LR,
            "weight_decay": Parameter("float", weight_decay, "weight decay", low=0),
            "betas": BETAS,
            "eps": EPS,
            "decay_norm_bias": DECAY_NORM_BIAS,
        },
    )


OPTIMIZERS: dict[str, Component] = {
    "sgd": Component(
        "stochastic gradient descent with momentum, optionally Nesterov's",
        {
            "lr": LR,
            "momentum": Parameter("float", 0.9, "share of the last update that is kept", low=0, high=1),
            "nesterov": Parameter("bool", False, "Nesterov's momentum: look ahead before the gradient"),
            "weight_decay": DECAY,
            "decay_norm_bias": DECAY_NORM_BIAS,
        },
    ),
    "adam": adam("Adam (Kingma, Ba 2014, arXiv 1412.6980); weight decay is an L2 term", 0.0),
    "adamw": adam("Adam with decoupled weight decay (Loshchilov, Hutter 2017, arXiv 1711.05101)", 0.01),
    "nadam": adam("Adam with Nesterov's momentum (Dozat 2016)", 0.0),
    "radam": adam("rectified Adam (Liu et al. 2019, arXiv 1908.03265)", 0.0),
    "rmsprop": Component(
        "RMSprop (Hinton, lecture 6e)",
        {
            "lr": LR,
            "alpha": Parameter("float", 0.99, "decay of the running mean of the squared gradient", low=0, high=1),
            "momentum": Parameter("float", 0.0, "share of the last update that is kept", low=0, high=1),
            "eps": EPS,
            "weight_decay": DECAY,
            "decay_norm_bias": DECAY_NORM_BIAS,
        },
    ),
    "adagrad": Component(
        "Adagrad (Duchi et al. 2011)",
        {
            "lr": LR,
            "lr_decay": Parameter("float", 0.0, "learning rate decay of Adagrad itself", low=0),
            "eps": Parameter("float", 1e-10, "added to the denominator", above=0),
            "weight_decay": DECAY,
            "decay_norm_bias": DECAY_NORM_BIAS,
        },
    ),
}

WARMUP = {
    "warmup_epochs": Parameter("float", 0.0, "epochs in which lr rises linearly to its peak", low=0),
    "warmup_start": Parameter("float", 0.01, "share of the peak at which the warmup starts", low=0, high=1),
}

SCHEDULES: dict[str, Component] = {
    "constant": Component("the same lr throughout", WARMUP),
    "step": Component(
        "lr times gamma after each milestone (He et al. 2015: 0.1 at half and at three quarters)",
        {
            **WARMUP,
            "milestones": Parameter("numbers", (0.5, 0.75), "shares of the whole training, rising", low=0, high=1),
            "gamma": Parameter("float", 0.1, "factor at each milestone", above=0, high=1),
        },
    ),
    "cosine": Component(
        "half a cosine from the peak down (Loshchilov, Hutter 2016, arXiv 1608.03983, eq. 5)",
        {**WARMUP, "final": Parameter("float", 0.0, "share of the peak at the end", low=0, high=1)},
    ),
    "linear": Component(
        "a straight line from the peak down",
        {**WARMUP, "final": Parameter("float", 0.0, "share of the peak at the end", low=0, high=1)},
    ),
    "one_cycle": Component(
        "up to the peak and down again in one training (Smith, Topin 2017, arXiv 1708.07120)",
        {
            "peak_at": Parameter("float", 0.3, "share of the training at which lr peaks", above=0, high=0.99),
            "start": Parameter("float", 0.04, "share of the peak at the start", low=0, high=1),
            "final": Parameter("float", 0.0, "share of the peak at the end", low=0, high=1),
            "shape": Parameter("choice", "cosine", "how lr rises and falls", choices=("cosine", "linear")),
            "warmup_epochs": Parameter("float", 0.0, "epochs in which lr rises linearly before the cycle", low=0),
            "warmup_start": WARMUP["warmup_start"],
        },
    ),
}

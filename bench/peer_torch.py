"""Networks in PyTorch: the peers that bench/network.py runs beside natgrad.

    peer_torch.py autoencoder|classifier|lenet --data DIR --optimizer NAME ...
    peer_torch.py steps --data DIR      seconds of a step and a forward pass
    peer_torch.py small --data DIR      steps per second of 64-32-10, digits

DIR holds the four IDX files of MNIST or Fashion-MNIST (gzip or not), for
`small` digits.csv.gz. The result is one JSON object on standard output. With
--trace a curve is written beside it, a JSON object per line; the clock stands
still while it is evaluated. `train_loss` is the mean in nats per image without
the penalty, `error` the squared error (sum over pixels, mean over images).
"""

import argparse
import csv
import ctypes
import gzip
import json
import math
import os
import statistics
import sys
import time

# PyTorch's OpenMP threads must not spin while the BLAS has its turn.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from torch import nn
from torch.nn import functional

AUTOENCODER = [784, 1000, 500, 250, 30, 250, 500, 1000, 784]
CODE = 30
SPARSE = 15  # inputs of a unit under sparse initialisation (Martens, 2010)


# Data


def idx(path):
    """An IDX file as bytes: magic, sizes, values."""
    name = path if os.path.exists(path) else path + ".gz"
    with (gzip.open if name.endswith(".gz") else open)(name, "rb") as file:
        data = bytearray(file.read())
    sizes = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big")
             for i in range(data[3])]
    values = torch.frombuffer(data, dtype=torch.uint8, offset=4 + 4 * data[3])
    return values.reshape(sizes)


def images(directory, part):
    """Rows of pixels in 0..1."""
    values = idx(os.path.join(directory, part + "-images-idx3-ubyte"))
    return values.reshape(len(values), -1).float().div_(255)


def labels(directory, part):
    return idx(os.path.join(directory, part + "-labels-idx1-ubyte")).long()


def digits(directory):
    with gzip.open(os.path.join(directory, "digits.csv.gz"), "rt") as file:
        rows = list(csv.reader(file))[1:]
    table = torch.tensor([[float(value) for value in row] for row in rows])
    return table[:, :-1].div(16).contiguous(), table[:, -1].long()


def batches(rows, size):
    """Indices of batches without end, shuffled anew every epoch."""
    while True:
        order = torch.randperm(rows)
        for start in range(0, rows - size + 1, size):
            yield order[start:start + size]


# Networks


def dense(widths, activation, linear=()):
    """Dense layers; none after the last nor after those wide as `linear`."""
    layers = []
    for index, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        layers.append(nn.Linear(inputs, outputs))
        if index < len(widths) - 2 and outputs not in linear:
            layers.append(activation())
    return nn.Sequential(*layers)


def lenet(activation):
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 6, 5, padding=2), activation(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), activation(), nn.MaxPool2d(2),
        nn.Flatten(), *dense([400, 120, 84, 10], activation))


def initialise(network, kind):
    """torch: as the layers come; glorot or sparse: and no bias."""
    for layer in network.modules():
        if kind == "torch" or not hasattr(layer, "weight"):
            continue
        nn.init.zeros_(layer.bias)
        if kind == "glorot":
            nn.init.xavier_uniform_(layer.weight)
            continue
        for unit in layer.weight.detach():
            values = torch.zeros(unit.numel())
            some = torch.randperm(len(values))[:SPARSE]
            values[some] = torch.randn(len(some))
            unit.copy_(values.view(unit.shape))


# What is learnt: a loss to minimise and a score to report


class BernoulliLogits(torch.autograd.Function):
    """The mean over rows of sum softplus(z) - x z: binary_cross_entropy_with_
    logits in a half of its time, its gradient one pass."""

    @staticmethod
    def forward(context, z, x):
        context.save_for_backward(z, x)
        dot = torch.dot(z.reshape(-1), x.reshape(-1))
        return (functional.softplus(z).sum() - dot) / len(x)

    @staticmethod
    def backward(context, gradient):
        z, x = context.saved_tensors
        return torch.sigmoid(z).sub_(x).mul_(gradient / len(x)), None


class Pixels:
    """An autoencoder's."""
    score, watched, sign = "error", "train_error", -1
    loss = staticmethod(BernoulliLogits.apply)

    @staticmethod
    def measure(z, x):
        loss = functional.binary_cross_entropy_with_logits(
            z, x, reduction="sum")
        return loss, torch.sigmoid(z).sub_(x).square_().sum()


class Labels:
    """A classifier's."""
    score, watched, sign = "accuracy", "test_accuracy", 1
    loss = staticmethod(functional.cross_entropy)

    @staticmethod
    def measure(z, y):
        loss = functional.cross_entropy(z, y, reduction="sum")
        return loss, (z.argmax(1) == y).sum()


# Optimisers


class Factors:
    """The two Kronecker factors of one dense layer's Fisher block."""

    def __init__(self, layer, decay):
        self.layer, self.decay = layer, decay
        outputs, inputs = layer.weight.shape
        self.a = torch.empty(inputs + 1, inputs + 1)
        self.g = torch.empty(outputs, outputs)
        self.gradient = torch.empty(outputs, inputs + 1)
        self.updates = 0

    def update(self, inputs, gradient):
        """Takes in a batch: inputs, and gradients of its mean loss."""
        self.updates += 1
        rows, last = len(inputs), len(self.a) - 1
        keep = min(1 - 1 / self.updates, self.decay)
        self.a[:last, :last].addmm_(
            inputs.t(), inputs, beta=keep, alpha=(1 - keep) / rows)
        if self.updates == 1:
            self.a[last] = 1
            self.a[last, :last] = 0
        self.a[last, :last].mul_(keep).add_(inputs.mean(0), alpha=1 - keep)
        self.a[:last, last] = self.a[last, :last]
        self.g.addmm_(
            gradient.t(), gradient, beta=keep, alpha=(1 - keep) * rows)

    def invert(self, damping):
        """With the damping split by pi, the root of the ratio of the mean
        eigenvalues (Martens & Grosse 2015, 6.3)."""
        a = float(self.a.trace()) / len(self.a)
        g = float(self.g.trace()) / len(self.g)
        pi = math.sqrt(max(a, 1e-30) / max(g, 1e-30))
        root = math.sqrt(damping)
        self.a_inverse = damped_inverse(self.a, pi * root)
        self.g_inverse = damped_inverse(self.g, root / pi)

    def precondition(self, l2):
        weight, bias = self.layer.weight, self.layer.bias
        self.gradient[:, :-1] = weight.grad
        self.gradient[:, -1] = bias.grad
        if l2:
            self.gradient[:, :-1].add_(weight.detach(), alpha=l2)
            self.gradient[:, -1].add_(bias.detach(), alpha=l2)
        return self.g_inverse @ self.gradient @ self.a_inverse


def damped_inverse(factor, damping):
    damped = factor.clone()
    damped.diagonal().add_(damping)
    return torch.cholesky_inverse(torch.linalg.cholesky(damped))


class KFAC:
    """K-FAC of the kind that current PyTorch packages are: empirical Fisher,
    running averages, factors and inverses on a schedule, momentum on the
    preconditioned gradient, whose norm is clipped. Dense layers only."""

    def __init__(self, network, rate, l2, momentum=0.9, damping=0.3,
                 decay=0.95, statistics_every=5, inverses_every=25, clip=10.0):
        self.l2, self.damping, self.clip = l2, damping, clip
        self.statistics_every = statistics_every
        self.inverses_every = inverses_every
        self.iteration = 0
        self.blocks = []
        for layer in network:
            if isinstance(layer, nn.Linear):
                self.blocks.append(Factors(layer, decay))
                layer.register_forward_hook(self.watcher(self.blocks[-1]))
        self.descent = torch.optim.SGD(
            network.parameters(), rate, momentum=momentum, foreach=False)
        self.param_groups = self.descent.param_groups

    def watcher(self, block):
        """Has the factors updated in the course of the backward pass."""
        def watch(_, inputs, output):
            if (self.iteration % self.statistics_every == 0 and
                    output.requires_grad):
                batch = inputs[0].detach()
                output.register_hook(
                    lambda gradient: block.update(batch, gradient))
        return watch

    def zero_grad(self, set_to_none):
        self.descent.zero_grad(set_to_none=set_to_none)

    @torch.no_grad()
    def step(self):
        if self.iteration % self.inverses_every == 0:
            for block in self.blocks:
                block.invert(self.damping)
        self.iteration += 1
        steps = [block.precondition(self.l2) for block in self.blocks]
        norm = math.hypot(*[float(torch.linalg.vector_norm(step))
                            for step in steps])
        if norm > self.clip:
            for step in steps:
                step.mul_(self.clip / norm)
        for block, step in zip(self.blocks, steps):
            block.layer.weight.grad.copy_(step[:, :-1])
            block.layer.bias.grad.copy_(step[:, -1])
        self.descent.step()


def optimiser(name, network, rate, l2):
    """At the best settings found on two cores; foreach only costs there."""
    parameters = network.parameters()
    if name == "adam":
        return torch.optim.Adam(
            parameters, rate or 1e-3, weight_decay=l2, foreach=False)
    if name == "sgd":
        return torch.optim.SGD(
            parameters, rate or 3e-3, momentum=0.9, nesterov=True,
            weight_decay=l2, foreach=False)
    return KFAC(network, rate or 0.03, l2)


# Training


class Clock:
    """Seconds of training; stands still between stop() and go()."""

    def __init__(self):
        self.spent = 0.0
        self.go()

    def go(self):
        self.since = time.perf_counter()

    def seconds(self):
        return self.spent + time.perf_counter() - self.since

    def stop(self):
        self.spent = self.seconds()


@torch.inference_mode()
def evaluate(network, goal, inputs, targets, chunk=2500):
    """Mean loss and score."""
    loss = score = 0.0
    for x, y in zip(inputs.split(chunk), targets.split(chunk)):
        parts = goal.measure(network(x), y)
        loss += float(parts[0])
        score += float(parts[1])
    return loss / len(inputs), score / len(inputs)


class Curve:
    """Evaluates training and test set; knows when the target is met."""

    def __init__(self, goal, train, test, target, path):
        self.goal, self.target = goal, target
        self.sets = {"train": train, "test": test}
        self.file = open(path, "w") if path else None
        self.last = None

    def record(self, network, iteration, seconds):
        self.last = {"iteration": iteration, "seconds": seconds}
        for name, (x, y) in self.sets.items():
            loss, score = evaluate(network, self.goal, x, y)
            self.last[name + "_loss"] = loss
            self.last[f"{name}_{self.goal.score}"] = score
        if self.file:
            self.file.write(json.dumps(self.last) + "\n")
            self.file.flush()

    def over(self):
        """Target met, or nothing to hope for."""
        if not math.isfinite(self.last["train_loss"]):
            return True
        score = self.last[self.goal.watched]
        return (self.target is not None and
                self.goal.sign * score >= self.goal.sign * self.target)


def step(network, goal, method, x, y):
    method.zero_grad(set_to_none=True)
    goal.loss(network(x), y).backward()
    method.step()


def train(network, goal, method, train_set, test_set, options):
    """Until the seconds, the iterations, the epochs or the target are
    reached. A cosine schedule needs the epochs (or iterations)."""
    x, y = train_set
    rows = options.evaluate_rows or len(x)
    curve = Curve(goal, (x[:rows], y[:rows]), test_set, options.target,
                  options.trace)
    per_epoch = len(x) // options.batch
    last = options.iterations or (options.epochs or math.inf) * per_epoch
    base = method.param_groups[0]["lr"]
    curve.record(network, 0, 0.0)
    iteration, clock = 0, Clock()
    for index in batches(len(x), options.batch):
        if options.schedule == "cosine":
            method.param_groups[0]["lr"] = base * 0.5 * (
                1 + math.cos(math.pi * iteration / last))
        batch = x.index_select(0, index)
        target = batch if y is x else y.index_select(0, index)
        step(network, goal, method, batch, target)
        iteration += 1
        done = iteration >= last or clock.seconds() >= options.seconds
        if done or iteration % options.evaluate_every == 0:
            clock.stop()
            curve.record(network, iteration, clock.spent)
            if done or curve.over():
                return curve.last
            clock.go()


def task(options):
    """The network, what it learns, its training and its test set."""
    both = [images(options.data, part) for part in ("train", "t10k")]
    if options.task == "autoencoder":
        network = dense(AUTOENCODER, nn.Tanh, linear=(CODE,))
        return network, Pixels, *[(x, x) for x in both]
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[options.activation]
    if options.task == "lenet":
        network = lenet(activation).to(memory_format=torch.channels_last)
    else:
        network = dense([784, 512, 512, 10], activation)
    answers = [labels(options.data, part) for part in ("train", "t10k")]
    return network, Labels, *zip(both, answers)


def learn(options):
    network, goal, train_set, test_set = task(options)
    initialise(network, options.init)
    method = optimiser(options.optimizer, network, options.rate, options.l2)
    return train(network, goal, method, train_set, test_set, options)


# Speed alone


def timed(action, count):
    """Median and mean of the seconds that `action` takes."""
    spent = []
    for _ in range(count):
        start = time.perf_counter()
        action()
        spent.append(time.perf_counter() - start)
    return {"median": statistics.median(spent), "mean": statistics.mean(spent),
            "least": min(spent)}


def steps(options):
    """Seconds of a step on the autoencoder and of a forward pass of 10,000
    images. A K-FAC step's mean counts: its work comes every 5 and 25."""
    x = images(options.data, "train")
    result = {}
    for name in options.optimizers:
        torch.manual_seed(options.seed)
        network = dense(AUTOENCODER, nn.Tanh, linear=(CODE,))
        initialise(network, "glorot")
        method = optimiser(name, network, None, 1e-5)
        index = batches(len(x), options.batch)

        def once():
            batch = x.index_select(0, next(index))
            step(network, Pixels, method, batch, batch)

        timed(once, 25 if name == "kfac" else 3)  # a whole cycle, to be warm
        result[name] = timed(once, options.count)
        if name == "kfac":
            result["inverses"] = timed(
                lambda: [b.invert(method.damping) for b in method.blocks], 3)

    @torch.inference_mode()
    def forward():
        for part in x[:10000].split(2500):
            network(part)

    result["forward"] = timed(forward, 10)
    square = torch.rand(1000, 1000)
    product = timed(lambda: square @ square, 30)["median"]
    return {"gemm_flops": 2 * 1000**3 / product, **result}


def small(options):
    """Steps per second of 64-32-10 on the digits, the median of rounds."""
    x, y = digits(options.data)
    result = {}
    for name in options.optimizers:
        torch.manual_seed(options.seed)
        network = dense([64, 32, 10], nn.Tanh)
        method = optimiser(name, network, None, 0.0)
        index = batches(len(x), options.batch)

        def round_of(count=250):
            for _ in range(count):
                rows = next(index)
                step(network, Labels, method, x.index_select(0, rows),
                     y.index_select(0, rows))

        round_of()
        rounds = max(3, options.count // 250)
        result[name] = 250 / timed(round_of, rounds)["median"]
    return result


# The command


def set_threads(count):
    """Of PyTorch's pool and of the BLAS's, which it leaves alone."""
    torch.set_num_threads(count)
    try:
        ctypes.CDLL("libopenblas.so.0").openblas_set_num_threads(count)
    except (OSError, AttributeError):
        pass  # another BLAS: its own variable holds


def keep_pages():
    """Lets malloc keep what a step frees: else the kernel clears the pages of
    every large tensor again."""
    trim, threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(threshold, 1 << 25)
        libc.mallopt(trim, (1 << 31) - 1)
    except (OSError, AttributeError):
        pass


DEFAULTS = {  # what a task sets where the command line does not
    "autoencoder": dict(batch=1000, init="glorot", l2=1e-5, evaluate_every=10),
    "classifier": dict(batch=128, init="torch", l2=0.0, evaluate_every=117),
    "lenet": dict(batch=128, init="torch", l2=0.0, evaluate_every=117),
    "steps": dict(batch=1000),
    "small": dict(batch=64),
}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("task", choices=DEFAULTS)
    add = parser.add_argument
    add("--data", required=True)
    add("--optimizer", choices=["adam", "sgd", "kfac"], default="adam")
    add("--optimizers", type=lambda text: text.split(","),
        default=["sgd", "adam", "kfac"], help="of steps and small")
    add("--rate", type=float)
    add("--schedule", choices=["constant", "cosine"], default="constant")
    add("--l2", type=float, help="times |theta|^2 / 2, added to the loss")
    add("--batch", type=int)
    add("--activation", choices=["relu", "tanh"], default="relu")
    add("--init", choices=["torch", "glorot", "sparse"])
    add("--epochs", type=int)
    add("--iterations", type=int)
    add("--seconds", type=float, default=math.inf)
    add("--target", type=float,
        help="stop at this training error or test accuracy")
    add("--evaluate-every", type=int)
    add("--evaluate-rows", type=int, help="of the training set; all of it")
    add("--count", type=int, default=50, help="steps to time")
    add("--threads", type=int, default=2)
    add("--seed", type=int, default=1)
    add("--trace")
    options = parser.parse_args()
    for name, value in DEFAULTS[options.task].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.schedule == "cosine" and not (
            options.epochs or options.iterations):
        parser.error("a cosine schedule needs --epochs or --iterations")
    return options


def main():
    options = arguments()
    keep_pages()
    set_threads(options.threads)
    torch.manual_seed(options.seed)
    run = {"steps": steps, "small": small}.get(options.task, learn)
    result = {"learner": "torch " + torch.__version__, "task": options.task,
              "threads": options.threads}
    result.update(run(options))
    json.dump(result, sys.stdout)
    print()


if __name__ == "__main__":
    main()

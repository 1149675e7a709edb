"""Softmax regression: natgrad's command against scikit-learn, one thread each.

    softmax.py NATGRAD FLOOR DATA_DIR MNIST_DIR OUT_DIR OUT.tsv

Both minimise mean loss + l2/2 |W|^2 (scikit-learn's C = 1 / (n l2)) to the
same accuracy, max |gradient| of that objective, which is computed here from
the coefficients of each. A solver begins at a loose tolerance of its own and
is tightened until it is that accurate; then runs of all are interleaved and
medians taken. natgrad's time is its JSON "seconds", scikit-learn's is fit()
on arrays in memory; what either needs to read the data is reported apart.
"""

import csv
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

L2 = 1e-3
TARGET = 1e-5  # max |gradient|; lbfgs of scikit-learn stops short of 1e-6
COLUMNS = [
    "case", "method", "n", "d", "threads", "seconds", "peer", "peer_seconds",
    "ratio", "floor_ratio", "residual", "peer_residual", "repeats",
    "read_seconds", "peer_read_seconds",
]


def gradient_norm(X, y, W, b):
    """max |gradient| of the penalised mean loss of the symmetric softmax."""
    Z = X @ W.T + b
    Z -= Z.max(axis=1, keepdims=True)
    P = np.exp(Z)
    P /= P.sum(axis=1, keepdims=True)
    P[np.arange(len(y)), y] -= 1
    G = P.T @ X / len(y) + L2 * W
    return max(abs(G).max(), abs(P.mean(axis=0)).max())


class Natgrad:
    """The command, at a decrement that is tightened as need be."""

    def __init__(self, command, case, metric):
        self.command, self.case, self.metric = command, case, metric
        self.name, self.tol = metric, 1e-2
        self.trace = os.path.join(case.out, f"{case.name}-{metric}.jsonl")

    def tighten(self):
        self.tol /= 10
        return self.tol > 1e-12

    def fit(self):
        start = time.perf_counter()
        done = subprocess.run(
            [self.command, "glm", self.case.path, "--target", "digit",
             "--family", "multinomial", "--l2", repr(L2), "--metric",
             self.metric, "--std-errors", "none", "--tol", repr(self.tol),
             "--trace", self.trace, "--quiet", "--json"],
            stdout=subprocess.PIPE, check=True)
        wall = time.perf_counter() - start
        result = json.loads(done.stdout)
        self.read = wall - result["seconds"]
        self.iterations = result["iterations"]
        with open(self.trace) as lines:
            self.examples = json.loads(lines.readlines()[-1])["examples"]
        return result["seconds"], *self.coefficients(result)

    def coefficients(self, result):
        """Of the symmetric softmax: all levels, summing to zero."""
        levels = sorted({c["level"] for c in result["coefficients"]}, key=int)
        row = {level: i + 1 for i, level in enumerate(levels)}
        column = {name: j for j, name in enumerate(self.case.names)}
        W = np.zeros((len(levels) + 1, len(column)))
        b = np.zeros(len(levels) + 1)
        for c in result["coefficients"]:
            value = c["estimate"] or 0.0
            if c["term"] == "(Intercept)":
                b[row[c["level"]]] = value
            else:
                W[row[c["level"]], column[c["term"]]] = value
        return W - W.mean(axis=0), b - b.mean()


class Sklearn:
    def __init__(self, case, solver):
        self.case, self.solver = case, solver
        self.name = f"sklearn-{solver}"
        self.tol = TARGET * len(case.y)  # its gradient is a sum over rows

    def tighten(self):
        self.tol /= 10
        return self.tol > 1e-12

    def fit(self):
        model = LogisticRegression(
            C=1 / (len(self.case.y) * L2), solver=self.solver, tol=self.tol,
            max_iter=100000, multi_class="multinomial")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a line search at its precision
            start = time.perf_counter()
            model.fit(self.case.X, self.case.y)
            seconds = time.perf_counter() - start
        return seconds, model.coef_, model.intercept_


class Case:
    def __init__(self, name, path, out):
        self.name, self.path, self.out = name, path, out
        with open(path) as lines:
            self.names = next(csv.reader(lines))[:-1]
        start = time.perf_counter()
        table = np.loadtxt(path, delimiter=",", skiprows=1)
        self.read = time.perf_counter() - start
        self.X = np.ascontiguousarray(table[:, :-1])
        self.y = table[:, -1].astype(int)
        self.levels = len(np.unique(self.y))


def measure(case, solvers, repeats, budget):
    """Interleaved rounds until enough or out of budget, at least one."""
    start = time.perf_counter()
    times = {s: [] for s in solvers}
    reads = {s: [] for s in solvers}
    for solver in solvers:
        while True:
            seconds, W, b = solver.fit()
            solver.residual = gradient_norm(case.X, case.y, W, b)
            if solver.residual <= TARGET or not solver.tighten():
                break
        times[solver].append(seconds)
        reads[solver].append(getattr(solver, "read", case.read))
    first = sum(t[0] for t in times.values())
    for _ in range(repeats - 1):
        if time.perf_counter() - start + first > budget:
            break
        for solver in solvers:
            times[solver].append(solver.fit()[0])
            reads[solver].append(getattr(solver, "read", case.read))
    for solver in solvers:
        solver.seconds = statistics.median(times[solver])
        solver.read_seconds = statistics.median(reads[solver])
        solver.repeats = len(times[solver])


def rates(floor, p, n, outputs, d):
    # A block of rows that stays in cache: the better rate, the lower floor.
    done = subprocess.run([floor, *map(str, (p, min(n, 512), outputs, p, d))],
                          stdout=subprocess.PIPE, check=True, text=True)
    pairs = (line.split("\t") for line in done.stdout.splitlines())
    return {key: float(value) * 1e9 for key, value in pairs}


def floor_seconds(floor, case, solver):
    """The flops that the method cannot do without, at the BLAS's own rate."""
    n, K = len(case.y), case.levels - 1
    p = case.X.shape[1] + 1
    # A pass is eta = X B' and the gradient's U'X: two products.
    passes = 4 * solver.examples * K * p
    if solver.metric == "dense":
        d = K * p
        rate = rates(floor, p, n, K, d)
        assembly = n * K * (K + 1) / 2 * p * (p + 1)
        return (passes / rate["gemm"] +
                solver.iterations * (assembly / rate["syrk"] + d**3 / 3 / rate["potrf"]))
    return passes / rates(floor, p, n, K, 0)["gemm"]


def run(writer, case, natgrads, peers, repeats, budget, floor):
    measure(case, natgrads + peers, repeats, budget)
    d = (case.levels - 1) * (case.X.shape[1] + 1)
    for ours in natgrads:
        lowest = floor_seconds(floor, case, ours)
        for peer in peers:
            writer.writerow([
                case.name, ours.name, len(case.y), d, 1,
                f"{ours.seconds:.4g}", peer.name, f"{peer.seconds:.4g}",
                f"{ours.seconds / peer.seconds:.3g}",
                f"{ours.seconds / lowest:.3g}", f"{ours.residual:.2g}",
                f"{peer.residual:.2g}", ours.repeats,
                f"{ours.read_seconds:.3g}", f"{peer.read_seconds:.3g}"])
            print(f"{case.name}: natgrad {ours.name} {ours.seconds:.3f} s, "
                  f"{peer.name} {peer.seconds:.3f} s", flush=True)


def digits_csv(data, out):
    """The training rows: all but every fifth."""
    path = os.path.join(out, "digits.csv")
    with gzip.open(os.path.join(data, "digits.csv.gz"), "rt") as lines:
        header, *rows = lines
    with open(path, "w") as file:
        file.write(header)
        file.writelines(r for i, r in enumerate(rows, 1) if i % 5)
    return path


def idx(path):
    """The format of the MNIST files: magic, sizes, bytes."""
    with gzip.open(path) as file:
        data = file.read()
    sizes = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big")
             for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(sizes)


def mnist_csv(source, out):
    """The 60,000 training images, pixels / 255; made once."""
    path = os.path.join(out, "mnist.csv")
    if os.path.exists(path):
        return path
    images = idx(os.path.join(source, "train-images-idx3-ubyte.gz"))
    labels = idx(os.path.join(source, "train-labels-idx1-ubyte.gz"))
    images = images.reshape(len(images), -1)
    text = [repr(i / 255) if i else "0" for i in range(256)]
    with open(path + ".part", "w") as file:
        names = [f"p{i:03d}" for i in range(images.shape[1])]
        file.write(",".join(names + ["digit"]) + "\n")
        for image, label in zip(images.tolist(), labels.tolist()):
            file.write(",".join([text[v] for v in image]) + f",{label}\n")
    os.rename(path + ".part", path)
    return path


def main():
    natgrad, floor, data, mnist, out, table = sys.argv[1:]
    print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}; "
          f"l2 {L2}, to max|gradient| <= {TARGET}")
    with open(table, "w") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        case = Case("digits", digits_csv(data, out), out)
        run(writer, case,
            [Natgrad(natgrad, case, "dense"), Natgrad(natgrad, case, "cg")],
            [Sklearn(case, "lbfgs"), Sklearn(case, "newton-cg")], 5, 60, floor)
        if not os.path.isdir(mnist):
            print(f"SKIP mnist: {mnist} is not there")
            return
        case = Case("mnist", mnist_csv(mnist, out), out)
        run(writer, case, [Natgrad(natgrad, case, "cg")],
            [Sklearn(case, "lbfgs"), Sklearn(case, "newton-cg")], 3, 300,
            floor)


if __name__ == "__main__":
    main()

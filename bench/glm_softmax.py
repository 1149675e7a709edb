"""Softmax of the glm engine against scikit-learn's lbfgs, data in memory.

    glm_softmax.py BENCH MNIST_DIR WORK_DIR OUT.tsv [--repeats N] [--rows N]
                   [--cases a,b] [--threads 1,2]

BENCH is bench_glm_softmax. natgrad runs to max |gradient| <= 1e-7 of the
(penalised) mean loss. scikit-learn's tolerance is set out of its reach, so that
it runs until its line search finds nothing lower; where it stops is in the
table. Both gradients are computed here, from the coefficients of each. Runs
are interleaved, in one process each with the same number of BLAS threads, and
medians compared. Memory is what natgrad took beside the design.

Cases, all with an intercept that is not penalised:
  gaussian    independent columns, ten classes that overlap strongly
  correlated  columns with a spectrum of 1e4, ten classes that overlap strongly
  overlap     MNIST's pixels, labels drawn from a softmax fit at temperature 4,
              l2 1e-3
  mnist       MNIST, l2 1e-3
"""

import argparse
import csv
import gzip
import json
import os
import statistics
import subprocess
import sys
import time

GRADIENT = 1e-7
LEVELS = 10
COLUMNS = [
    "case", "rows", "columns", "l2", "threads", "seconds", "peer_seconds",
    "speedup", "gradient", "peer_gradient", "objective_above_peer",
    "passes", "peer_iterations", "memory_share", "repeats",
]


def idx(path):
    import numpy as np
    with gzip.open(path) as file:
        data = file.read()
    sizes = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big")
             for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(sizes)


def draw(Z, rng):
    """Labels of the softmax with these logits (Gumbel's trick)."""
    return (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)


def mnist(folder, rows):
    X = idx(os.path.join(folder, "train-images-idx3-ubyte.gz"))
    y = idx(os.path.join(folder, "train-labels-idx1-ubyte.gz"))
    return X.reshape(len(X), -1)[:rows] / 255, y[:rows].astype(int)


def make(case, folder, rows):
    """Columns without the intercept, labels, l2."""
    import numpy as np
    rng = np.random.default_rng(1)
    p = 784
    if case == "gaussian":
        X = rng.standard_normal((rows, p))
        B = rng.standard_normal((p, LEVELS)) * 0.03
        return X, draw(X @ B, rng), 0.0
    if case == "correlated":
        Q = np.linalg.qr(rng.standard_normal((p, p)))[0]
        X = (rng.standard_normal((rows, p)) * np.geomspace(3, 0.03, p)) @ Q
        Z = X @ rng.standard_normal((p, LEVELS))
        return X, draw(Z / Z.std(), rng), 0.0
    X, y = mnist(folder, rows)
    if case == "overlap":
        from sklearn.linear_model import LogisticRegression
        few = min(len(X), 10000)
        fit = LogisticRegression(C=0.1, max_iter=50).fit(X[:few], y[:few])
        y = draw(fit.decision_function(X) / 4, rng)
    return X, y, 1e-3


def measure(X, y, l2, W, b):
    """max |gradient| and value of the penalised mean loss, W symmetric."""
    import numpy as np
    Z = X @ W.T + b
    Z -= Z.max(axis=1, keepdims=True)
    P = np.exp(Z)
    total = P.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    value = (np.log(total[:, 0]) - Z[rows, y]).mean()
    P /= total
    P[rows, y] -= 1
    G = P.T @ X / len(y) + l2 * W
    value += l2 / 2 * (W * W).sum()
    return max(abs(G).max(), abs(P.mean(axis=0)).max()), value


class Natgrad:
    def __init__(self, bench, work, X, y, l2, threads):
        import numpy as np
        self.X, self.y, self.l2 = X, y, l2
        names = [os.path.join(work, f"softmax.{part}")
                 for part in ("x", "y", "theta")]
        n, p = X.shape
        with open(names[0], "wb") as file:
            np.ones(n).tofile(file)
            for j in range(p):
                np.ascontiguousarray(X[:, j]).tofile(file)
        y.astype(float).tofile(names[1])
        self.theta, self.design = names[2], n * (p + 1) * 8
        self.process = subprocess.Popen(
            [bench, names[0], names[1], str(n), str(p + 1), str(LEVELS),
             repr(l2), repr(GRADIENT), str(threads), names[2]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def fit(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.result = json.loads(self.process.stdout.readline())
        return self.result["seconds"]

    def finish(self):
        import numpy as np
        self.process.communicate()
        T = np.fromfile(self.theta).reshape(LEVELS - 1, -1)
        T = np.vstack([np.zeros(T.shape[1]), T])
        T -= T.mean(axis=0)
        return measure(self.X, self.y, self.l2, T[:, 1:], T[:, 0])


class Sklearn:
    def __init__(self, X, y, l2):
        from sklearn.linear_model import LogisticRegression
        self.X, self.y, self.l2 = X, y, l2
        penalty = ({"C": 1 / (len(y) * l2)} if l2 else {"penalty": None})
        self.model = LogisticRegression(
            solver="lbfgs", tol=1e-14, max_iter=100000,
            multi_class="multinomial", **penalty)

    def fit(self):
        start = time.perf_counter()
        self.model.fit(self.X, self.y)
        return time.perf_counter() - start

    def finish(self):
        model = self.model
        return measure(self.X, self.y, self.l2, model.coef_, model.intercept_)


def run(case, arguments, threads, writer):
    X, y, l2 = make(case, arguments.mnist, arguments.rows)
    ours = Natgrad(arguments.bench, arguments.work, X, y, l2, threads)
    peer = Sklearn(X, y, l2)
    times = {ours: [], peer: []}
    for repeat in range(arguments.repeats):
        for solver, seconds in times.items():
            seconds.append(solver.fit())
        if repeat == 0:  # a peer of minutes is run once
            repeats = arguments.repeats if times[peer][0] < 20 else 1
        if repeat + 1 >= repeats:
            break
    for _ in range(len(times[ours]), 3):
        times[ours].append(ours.fit())
    gradient, value = ours.finish()
    peer_gradient, peer_value = peer.finish()
    seconds, peer_seconds = (statistics.median(t) for t in times.values())
    writer.writerow([
        case, len(y), X.shape[1] + 1, l2, threads, f"{seconds:.4g}",
        f"{peer_seconds:.4g}", f"{peer_seconds / seconds:.3g}",
        f"{gradient:.2g}", f"{peer_gradient:.2g}",
        f"{value - peer_value:.2g}", f"{ours.result['passes']:.1f}",
        int(max(peer.model.n_iter_)),
        f"{ours.result['bytes'] / ours.design:.4f}", len(times[peer])])
    print(f"{case}, {threads} threads: natgrad {seconds:.3f} s to "
          f"{gradient:.1e}, scikit-learn {peer_seconds:.3f} s to "
          f"{peer_gradient:.1e}: {peer_seconds / seconds:.2f} times faster",
          flush=True)


def child(arguments, threads):
    """BLAS threads are settled before numpy is loaded."""
    environment = dict(os.environ, OPENBLAS_NUM_THREADS=str(threads),
                       OMP_NUM_THREADS=str(threads),
                       OMP_WAIT_POLICY="passive", PYTHONWARNINGS="ignore")
    command = [sys.executable, __file__, arguments.bench, arguments.mnist,
               arguments.work, arguments.table, "--repeats",
               str(arguments.repeats), "--rows", str(arguments.rows),
               "--cases", arguments.cases, "--child", str(threads)]
    subprocess.run(command, env=environment, check=True)


def main():
    parser = argparse.ArgumentParser()
    for name in ("bench", "mnist", "work", "table"):
        parser.add_argument(name)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=60000)
    parser.add_argument("--cases",
                        default="gaussian,correlated,overlap,mnist")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.child:
        with open(arguments.table, "w") as file:
            csv.writer(file, delimiter="\t",
                       lineterminator="\n").writerow(COLUMNS)
        for threads in map(int, arguments.threads.split(",")):
            child(arguments, threads)
        return
    have = os.path.isdir(arguments.mnist)
    with open(arguments.table, "a") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        for case in arguments.cases.split(","):
            if case in ("overlap", "mnist") and not have:
                print(f"SKIP {case}: {arguments.mnist} is not there")
                continue
            run(case, arguments, arguments.child, writer)
            file.flush()


if __name__ == "__main__":
    main()

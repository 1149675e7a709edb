"""Training networks: natgrad's command against PyTorch's optimisers.

    network.py [--natgrad BUILD/natgrad] --data MNIST_DIR [--fashion DIR]
               [--digits data] [--only autoencoder,classifier,...] [--out DIR]

All run in turn, round after round, on the same data and threads. natgrad's
time is its trace's "seconds", PyTorch's the seconds of its training loop; of
neither does it hold reading the data or evaluating the curve. A threshold is
reached at the first evaluation that meets it. Ratios are of medians, natgrad
over the peer: of seconds, below one natgrad is faster; of steps a second,
above. Without --natgrad the peers run alone.

DIR receives network.tsv (every figure), curves-CASE.tsv and, by gnuplot,
CASE.png: training and test, over iterations and over seconds.
"""

import argparse
import csv
import json
import math
import os
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
AUTOENCODER = ("1000 tanh, 500 tanh, 250 tanh, 30, "
               "250 tanh, 500 tanh, 1000 tanh")
LENET = ("conv 6 5x5 pad 2 relu, pool 2, conv 16 5x5 relu, pool 2, flatten, "
         "120 relu, 84 relu")
WIDTHS = [784, 1000, 500, 250, 30, 250, 500, 1000, 784]
COLUMNS = ["case", "learner", "figure", "value", "iterations", "runs",
           "reached", "ratio", "peer"]


class Failed(Exception):
    """A program that did not do what it was asked, with its last words."""


def run_json(command, environment):
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["no message"]
        raise Failed(f"{os.path.basename(command[0])}: {words[-1]}")
    return json.loads(done.stdout)


def read_trace(path):
    """JSON lines, those of evaluations flat: train_loss, test_error, ..."""
    with open(path) as lines:
        records = [json.loads(line) for line in lines]
    for record in records:
        for part in ("train", "test"):
            found = record.pop(part, None)
            if isinstance(found, dict):
                record[part + "_loss"] = found.get("loss")
                for name, ours in (("squared_error", "error"),
                                   ("accuracy", "accuracy")):
                    if name in found:
                        record[f"{part}_{ours}"] = found[name]
    return records


def idx_file(directory, part, kind):
    for name in (f"{part}-{kind}-ubyte.gz", f"{part}-{kind}-ubyte"):
        path = os.path.join(directory, name)
        if os.path.exists(path):
            return path
    raise Failed(f"{directory} has no {part}-{kind}-ubyte, gzip or not")


# The two programs


class Natgrad:
    peer = False

    def __init__(self, options, name, arguments):
        self.options, self.name, self.arguments = options, name, arguments

    def run(self, case, seed, trace):
        command = [self.options.natgrad, "net", *case.natgrad, *self.arguments,
                   "--threads", str(self.options.threads), "--seed", str(seed),
                   "--trace", trace, "--quiet", "--json"]
        if case.seconds:
            command += ["--seconds", str(case.seconds)]
        if case.evaluate_every:
            command += ["--evaluate-every", str(case.evaluate_every)]
        return run_json(command, {**os.environ, "OPENBLAS_NUM_THREADS": "1"})


class Torch:
    peer = True

    def __init__(self, options, name, arguments):
        self.options, self.name, self.arguments = options, name, arguments

    def run(self, case, seed, trace):
        command = [self.options.python, os.path.join(HERE, "peer_torch.py"),
                   case.name, "--data", case.data, *self.arguments,
                   "--threads", str(self.options.threads), "--seed", str(seed)]
        if trace:
            command += ["--trace", trace]
        if case.seconds:
            command += ["--seconds", str(case.seconds)]
        if case.evaluate_every:
            command += ["--evaluate-every", str(case.evaluate_every)]
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
        return run_json(command, environment)


class Case:
    """A network, its data and what is to be reached with it."""

    def __init__(self, name, data, natgrad, watched, thresholds, learners,
                 seconds=None, evaluate_every=None, rounds=1, at=()):
        self.name, self.data, self.natgrad = name, data, natgrad
        self.watched, self.thresholds = watched, thresholds
        self.learners, self.seconds = learners, seconds
        self.evaluate_every, self.rounds, self.at = evaluate_every, rounds, at

    def met(self, record, threshold):
        value = record.get(self.watched)
        if value is None:
            return False
        if self.watched.endswith("error"):
            return value <= threshold
        return value >= threshold


# The cases


def autoencoder(options):
    images = idx_file(options.data, "train", "images-idx3")
    test = idx_file(options.data, "t10k", "images-idx3")
    natgrad = [images, "--target", "self", "--layers", AUTOENCODER,
               "--family", "bernoulli", "--l2", "1e-5", "--batch", "1000",
               "--test", test]
    learners = ours(options, {"kfac": ["--optimizer", "kfac"]})
    rows = ["--evaluate-rows", str(options.evaluate_rows or 60000)]
    learners += [Torch(options, name, ["--optimizer", optimizer, *rows])
                 for name, optimizer in (("torch-adam", "adam"),
                                         ("torch-nesterov", "sgd"),
                                         ("torch-kfac", "kfac"))]
    return Case("autoencoder", options.data, natgrad, "train_error",
                [10, 5.4, 5, 2.4], learners, options.seconds or 150,
                options.evaluate_every or 10, options.rounds or 1,
                at=(30, 60, 120))


def classifier_case(options, name, directory, layers, thresholds, ours_by,
                    horizons):
    parts = {(part, kind): idx_file(directory, part, kind)
             for part in ("train", "t10k")
             for kind in ("images-idx3", "labels-idx1")}
    natgrad = [parts["train", "images-idx3"],
               "--target", parts["train", "labels-idx1"], "--layers", layers,
               "--test", parts["t10k", "images-idx3"],
               parts["t10k", "labels-idx1"]]
    learners = ours(options, ours_by)
    learners += [
        Torch(options, f"torch-adam-{epochs}",
              ["--optimizer", "adam", "--schedule", "cosine",
               "--epochs", str(epochs),
               "--evaluate-rows", str(options.evaluate_rows or 10000)])
        for epochs in horizons]
    return Case(name, directory, natgrad, "test_accuracy", thresholds,
                learners, options.seconds, options.evaluate_every or 117,
                options.rounds or 5)


def classifier(options):
    """Cosine decay has to know its end: a short one for the first threshold,
    a longer one for the second."""
    by = {"kfac": ["--optimizer", "kfac", "--epochs", "10"],
          "adam": ["--optimizer", "adam", "--schedule", "cosine", "--epochs",
                   "10", "--batch", "128"]}
    return classifier_case(options, "classifier", options.data,
                           "512 relu, 512 relu", [0.98, 0.983], by, [4, 10])


def lenet(options):
    by = {"kfac": ["--optimizer", "kfac", "--epochs", "15"]}
    return classifier_case(options, "lenet", options.fashion, LENET,
                           [0.88, 0.9], by, [15])


def ours(options, by_name):
    if not options.natgrad:
        return []
    return [Natgrad(options, "natgrad-" + name, arguments)
            for name, arguments in by_name.items()]


# Races to a threshold


def race(case, options, table):
    runs = {learner.name: [] for learner in case.learners}
    for seed in range(1, case.rounds + 1):
        for learner in list(case.learners):
            trace = os.path.join(
                options.out, f"{case.name}-{learner.name}-{seed}.jsonl")
            try:
                learner.run(case, seed, trace)
            except Failed as failure:
                print(f"{case.name}: {learner.name} left out: {failure}")
                case.learners.remove(learner)
                continue
            records = [r for r in read_trace(trace) if "train_loss" in r]
            runs[learner.name].append(records)
            last = records[-1]
            print(f"{case.name} {seed}: {learner.name} "
                  f"{last['iteration']} iterations, {last['seconds']:.1f} s, "
                  f"{case.watched} {last[case.watched]:.4g}", flush=True)
    for threshold in case.thresholds:
        reach(case, runs, threshold, table)
    for seconds in case.at:
        state(case, runs, seconds, table)
    draw(case, runs, options)


def median_reached(values):
    """Runs that never got there count as infinitely long."""
    return statistics.median(values) if values else math.inf


def reach(case, runs, threshold, table):
    figure = f"seconds to {case.watched} {threshold:g}"
    reached = {}
    for learner in case.learners:
        first = [next((r for r in records if case.met(r, threshold)), None)
                 for records in runs[learner.name]]
        reached[learner.name] = (
            median_reached([r["seconds"] if r else math.inf for r in first]),
            median_reached([r["iteration"] if r else math.inf for r in first]),
            sum(r is not None for r in first), len(first),
            statistics.median(r[-1]["seconds"] for r in runs[learner.name]))
    add_rows(case, figure, reached, table)


def add_rows(case, figure, reached, table):
    """A line for every learner; natgrad's once for every peer."""
    peers = [p.name for p in case.learners if p.peer]
    for learner in case.learners:
        value, iterations, count, total, _ = reached[learner.name]
        for peer in [None] if learner.peer else peers or [None]:
            table.append([case.name, learner.name, figure, number(value),
                          number(iterations), total, count,
                          ratio(value, reached[peer]) if peer else "-",
                          peer or "-"])


def ratio(value, peer):
    """Of a peer that never got there only a bound is known: its run's end."""
    if math.isinf(value):
        return "-"
    if math.isinf(peer[0]):
        return f"<{value / peer[-1]:.3g}"
    return f"{value / peer[0]:.3g}"


def number(value):
    return f"{value:.4g}" if math.isfinite(value) else "never"


def state(case, runs, seconds, table):
    """Loss and score at the last evaluation before so many seconds."""
    for learner in case.learners:
        for name in ("train_loss", case.watched,
                     case.watched.replace("train", "test")):
            found = [[r for r in records if r["seconds"] <= seconds][-1]
                     for records in runs[learner.name]
                     if records[-1]["seconds"] >= 0.95 * seconds]
            found = [r for r in found if r.get(name) is not None]
            if found:
                table.append([
                    case.name, learner.name, f"{name} at {seconds} s",
                    number(statistics.median(r[name] for r in found)),
                    number(statistics.median(r["iteration"] for r in found)),
                    len(found), len(found), "-", "-"])


def draw(case, runs, options):
    """The curves of the first round."""
    names = [learner.name for learner in case.learners]
    if not names:
        return
    score = case.watched.split("_")[1]
    path = os.path.join(options.out, f"curves-{case.name}.tsv")
    with open(path, "w") as file:
        for name in names:
            file.write(f"# {name}: iteration, seconds, train, test\n")
            for record in runs[name][0]:
                values = [record.get(f"{part}_{score}")
                          for part in ("train", "test")]
                if score == "accuracy":  # the share of errors, in per cent
                    values = [None if value is None else 100 * (1 - value)
                              for value in values]
                cells = ["NaN" if v is None else f"{v:.6g}" for v in values]
                file.write("\t".join([str(record["iteration"]),
                                      f"{record['seconds']:.6g}", *cells]))
                file.write("\n")
            file.write("\n\n")
    if not shutil.which("gnuplot"):
        print("SKIP the picture: gnuplot is not there")
        return
    label = "squared error" if score == "error" else "errors, %"
    subprocess.run(
        ["gnuplot", "-e", f"data='{path}'; names='{' '.join(names)}'; "
         f"label='{label}'; title='{case.name}'; "
         f"out='{os.path.join(options.out, case.name + '.png')}'",
         os.path.join(HERE, "network.gp")], check=True)


# Speed alone


def flops(batch):
    """Of forward, and of forward and backward, on the autoencoder; the
    inputs need no gradient."""
    weights = sum(a * b for a, b in zip(WIDTHS, WIDTHS[1:]))
    forward = 2 * weights * batch
    return forward, 3 * forward - 2 * WIDTHS[0] * WIDTHS[1] * batch


def iteration_times(trace, skip):
    """Seconds from iteration to iteration, but the first few."""
    marks = [r["seconds"] for r in read_trace(trace)]
    gaps = [b - a for a, b in zip(marks, marks[1:])][skip:]
    if not gaps:
        raise Failed("the trace has too few iterations to time them")
    return {"median": statistics.median(gaps), "mean": statistics.mean(gaps)}


def natgrad_steps(options, learners, case):
    found = {}
    for learner in learners:
        trace = os.path.join(options.out, f"steps-{learner.name}.jsonl")
        try:
            learner.run(case, 1, trace)
            found[learner.name] = iteration_times(trace, 20)["mean"]
        except Failed as failure:
            print(f"{case.name}: {learner.name} left out: {failure}")
    if options.forward:
        done = subprocess.run(options.forward, shell=True, check=True,
                              stdout=subprocess.PIPE, text=True)
        found["natgrad-forward"] = float(done.stdout.split()[-1])
    return found


def steps(options, table):
    """A step's mean over whole cycles of statistics and inverses."""
    images = idx_file(options.data, "train", "images-idx3")
    natgrad = [images, "--target", "self", "--layers", AUTOENCODER,
               "--family", "bernoulli", "--l2", "1e-5", "--batch", "1000",
               "--epochs", "2"]
    case = Case("steps", options.data, natgrad, None, [], [])
    learners = ours(options, {
        "sgd": ["--optimizer", "sgd"], "adam": ["--optimizer", "adam"],
        "kfac": ["--optimizer", "kfac"], "ekfac": ["--optimizer", "ekfac"]})
    rounds, rate = [], []
    for _ in range(options.rounds or 3):
        peer = Torch(options, "torch", ["--count", "50"]).run(case, 1, None)
        rate.append(peer["gemm_flops"])
        found = {f"torch-{name}": value["mean"]
                 for name, value in peer.items() if isinstance(value, dict)}
        found.update(natgrad_steps(options, learners, case))
        rounds.append(found)
    forward, both = flops(1000)
    rate = statistics.median(rate)
    print(f"steps: GEMM {rate / 1e9:.0f} Gflop/s; floors: forward of 10,000 "
          f"{10 * forward / rate:.3f} s, forward and backward of 1,000 "
          f"{both / rate:.4f} s")
    table.append(["steps", "floor", "seconds, forward of 10,000",
                  number(10 * forward / rate), "-", "-", "-", "-", "-"])
    table.append(["steps", "floor", "seconds, forward and backward",
                  number(both / rate), "-", "-", "-", "-", "-"])
    median = compare("steps", "seconds", rounds, table, {"ekfac": "kfac"})
    for name, value in sorted(median.items()):
        program, kind = name.split("-")
        if kind in ("adam", "kfac", "ekfac") and f"{program}-sgd" in median:
            table.append(["steps", name, "times its own sgd",
                          number(value / median[f"{program}-sgd"]),
                          *["-"] * 5])


def small(options, table):
    digits = os.path.join(options.digits, "digits.csv.gz")
    natgrad = [digits, "--target", "digit", "--family", "categorical",
               "--layers", "32 tanh", "--batch", "64", "--epochs", "200"]
    case = Case("small", options.digits, natgrad, None, [], [])
    learners = ours(options, {name: ["--optimizer", name]
                              for name in ("sgd", "adam", "kfac")})
    # One thread each: more only slow either down at this size.
    single = argparse.Namespace(**{**vars(options), "threads": 1})
    rounds = []
    for _ in range(options.rounds or 3):
        peer = Torch(single, "torch", ["--count", "2000"]).run(case, 1, None)
        found = {"torch-" + name: peer[name]
                 for name in ("sgd", "adam", "kfac")}
        for learner in learners:
            learner.options = single
            try:
                result = learner.run(case, 1, os.devnull)
            except Failed as failure:
                print(f"small: {learner.name} left out: {failure}")
                continue
            found[learner.name] = result["iterations"] / result["seconds"]
        rounds.append(found)
    compare("small", "steps a second", rounds, table, {})


def compare(case, figure, rounds, table, stand_in):
    """Medians over the rounds; natgrad-X against torch-X."""
    names = list(dict.fromkeys(name for found in rounds for name in found))
    median = {name: statistics.median(found[name] for found in rounds
                                      if name in found) for name in names}
    for name in sorted(names):
        kind = name.split("-")[1]
        peer = "torch-" + stand_in.get(kind, kind)
        versus = name.startswith("natgrad") and peer in median
        table.append([
            case, name, figure, number(median[name]), "-", len(rounds),
            len(rounds), f"{median[name] / median[peer]:.3g}" if versus
            else "-", peer if versus else "-"])
    return median


# The table


def show(table):
    rows = [COLUMNS] + [[str(cell) for cell in row] for row in table]
    width = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, width)).rstrip())


CASES = {"autoencoder": autoencoder, "classifier": classifier, "lenet": lenet}
SPEED = {"steps": steps, "small": small}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--natgrad", help="the command; without it the peers run alone")
    add("--data", required=True, help="folder of MNIST's IDX files")
    add("--fashion", default="/usr/share/datasets/fashion-mnist",
        help="folder of Fashion-MNIST's IDX files")
    add("--digits", default="data", help="folder of digits.csv.gz")
    add("--only", type=lambda text: text.split(","),
        default=[*SPEED, *CASES], help="cases, separated by commas")
    add("--seconds", type=float, help="of training in a run")
    add("--rounds", type=int, help="runs of each, every one with its seed")
    add("--evaluate-every", type=int)
    add("--evaluate-rows", type=int,
        help="of the training set that the peers' curves are of")
    add("--forward", help="command that prints natgrad's seconds for a "
                          "forward pass of 10,000 images")
    add("--threads", type=int, default=2)
    add("--python", default="/usr/bin/python3",
        help="a Python that has PyTorch")
    add("--out", default="out/bench")
    options = parser.parse_args()
    unknown = set(options.only) - {*CASES, *SPEED}
    if unknown:
        parser.error("no such case: " + ", ".join(sorted(unknown)))
    return options


def main():
    options = arguments()
    os.makedirs(options.out, exist_ok=True)
    table = []
    for name in options.only:
        try:
            if name in CASES:
                race(CASES[name](options), options, table)
            else:
                SPEED[name](options, table)
        except Failed as failure:
            print(f"SKIP {name}: {failure}")
    show(table)
    with open(os.path.join(options.out, "network.tsv"), "w") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(table)


if __name__ == "__main__":
    sys.exit(main())

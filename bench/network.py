"""Training networks: natgrad's command against PyTorch's optimisers.

    network.py [--natgrad BUILD/natgrad] --data MNIST_DIR [--fashion DIR]
               [--digits data] [--only steps,autoencoder,...] [--out DIR]

Cases and about how long they take on two idle cores: steps 10 minutes, small 1,
autoencoder 25, classifier 12, lenet 40. --quick makes each a minute or two
that shows no more than that it works. --reuse takes the traces that an
earlier run left, and makes only those that are missing.

All run in turn, round after round, on the same data and threads. natgrad's
time is its trace's "seconds", PyTorch's the seconds of its training loop; of
neither does it hold reading the data or evaluating the curve. natgrad's scores
are those its trace reports: of the average of the iterates or of the last one,
whichever has the lower training loss. Steps of natgrad are timed by
bench_network_steps. A threshold is reached at the first evaluation that meets
it. Ratios are of medians, natgrad over the peer: of seconds, below one natgrad
is faster; of steps a second, above. Without --natgrad the peers run alone.

DIR receives a trace for each run, network-CASE.tsv (every figure),
curves-CASE.tsv and, by gnuplot, CASE.png: training and test, over iterations
and over seconds.
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
LENET = ("conv 6 5x5 pad 2 relu, pool 2, conv 16 5x5 relu, pool 2, "
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


class Learner:
    """A program with its arguments; `every`: iterations between evaluations,
    of which those that take short steps need fewer."""

    def __init__(self, options, name, every, arguments):
        self.options, self.name, self.arguments = options, name, arguments
        self.every = options.evaluate_every or every

    def common(self, case, seed, trace):
        arguments = ["--threads", str(self.options.threads),
                     "--seed", str(seed), "--trace", trace,
                     "--evaluate-every", str(self.every)]
        if case.seconds:
            arguments += ["--seconds", str(case.seconds)]
        return arguments


class Natgrad(Learner):
    peer = False

    def run(self, case, seed, trace):
        command = [self.options.natgrad, "net", *case.natgrad, *self.arguments,
                   *self.common(case, seed, trace), "--quiet", "--json"]
        found = run_json(command, {**os.environ, "OPENBLAS_NUM_THREADS": "1"})
        append_end(trace, found)


def append_end(trace, found):
    """The scores at the end, which the trace has only where an evaluation was
    due."""
    with open(trace) as lines:
        last = json.loads(lines.readlines()[-1])
    if "train" in last:
        return
    end = {"iteration": found["iterations"], "seconds": found["seconds"],
           "train": found["train"]}
    if found.get("test"):
        end["test"] = found["test"][0]
    with open(trace, "a") as file:
        file.write(json.dumps(end) + "\n")


class Torch(Learner):
    peer = True

    def run(self, case, seed, trace):
        return run_torch(self.options, [
            case.name, "--data", case.data, *self.arguments,
            *self.common(case, seed, trace)])


def run_torch(options, arguments):
    command = [options.python, os.path.join(HERE, "peer_torch.py"), *arguments]
    return run_json(command, {**os.environ, "OMP_WAIT_POLICY": "passive"})


def run_steps(options, arguments):
    """What bench_network_steps prints, by part and name."""
    beside = os.path.join(os.path.dirname(options.natgrad), "bench",
                          "bench_network_steps")
    rows = run_json([beside, *arguments, "--json"],
                    {**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    return {(row["part"], row["what"]): row for row in rows}


class Case:
    """A network, its data and what is to be reached with it."""

    def __init__(self, name, data, natgrad, watched, thresholds, learners,
                 seconds=None, rounds=1, at=()):
        self.name, self.data, self.natgrad = name, data, natgrad
        self.watched, self.thresholds = watched, thresholds
        self.learners, self.seconds = learners, seconds
        self.rounds, self.at = rounds, at

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
    rows = ["--evaluate-rows", str(options.evaluate_rows or 60000)]
    learners = ours(options, [("kfac", 10, ["--optimizer", "kfac"])])
    learners += [Torch(options, name, every, ["--optimizer", optimizer, *rows])
                 for name, optimizer, every in (("torch-adam", "adam", 25),
                                                ("torch-nesterov", "sgd", 25),
                                                ("torch-kfac", "kfac", 10))]
    return Case("autoencoder", options.data, natgrad, "train_error",
                [10, 5.4, 5, 2.4], learners, options.seconds or 150,
                options.rounds or 1, at=(30, 60, 120))


def classifier_case(options, name, directory, layers, thresholds, natgrads,
                    horizons, rounds):
    parts = {(part, kind): idx_file(directory, part, kind)
             for part in ("train", "t10k")
             for kind in ("images-idx3", "labels-idx1")}
    natgrad = [parts["train", "images-idx3"],
               "--target", parts["train", "labels-idx1"], "--layers", layers,
               "--test", parts["t10k", "images-idx3"],
               "--test-target", parts["t10k", "labels-idx1"]]
    learners = ours(options, natgrads)
    learners += [
        Torch(options, f"torch-adam-{epochs}", 60,
              ["--optimizer", "adam", "--schedule", "cosine",
               "--epochs", str(epochs),
               "--evaluate-rows", str(options.evaluate_rows or 2000)])
        for epochs in horizons]
    return Case(name, directory, natgrad, "test_accuracy", thresholds,
                learners, options.seconds, options.rounds or rounds)


def classifier(options):
    """Cosine decay has to know its end: a short one for the first threshold,
    a longer one for the second."""
    return classifier_case(
        options, "classifier", options.data, "512 relu, 512 relu",
        [0.98, 0.983], [("kfac", 20, ["--epochs", "3"])], [4, 10], 5)


def lenet(options):
    adam = ["--optimizer", "adam", "--schedule", "cosine", "--epochs"]
    return classifier_case(
        options, "lenet", options.fashion, LENET, [0.88, 0.9],
        [("kfac", 20, ["--epochs", "4", "--batch", "500", "--l2", "1e-4"]),
         ("adam-8", 120, [*adam, "8"])],
        [8, 15], 3)


def ours(options, entries):
    """natgrad by name, evaluation interval and arguments."""
    if not options.natgrad:
        return []
    return [Natgrad(options, "natgrad-" + name, every, arguments)
            for name, every, arguments in entries]


# Races to a threshold


def run_once(case, learner, seed, trace, reuse):
    if not (reuse and os.path.exists(trace)):
        learner.run(case, seed, trace)
    records = [r for r in read_trace(trace) if case.watched in r]
    if not records:
        raise Failed(f"no evaluation in {trace} has a {case.watched}")
    return records


def race(case, options, table):
    runs = {learner.name: [] for learner in case.learners}
    for seed in range(1, case.rounds + 1):
        for learner in list(case.learners):
            trace = os.path.join(
                options.out, f"{case.name}-{learner.name}-{seed}.jsonl")
            try:
                records = run_once(case, learner, seed, trace, options.reuse)
            except Failed as failure:
                print(f"{case.name}: {learner.name} left out: {failure}")
                case.learners.remove(learner)
                continue
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
            before = [[r for r in records if r["seconds"] <= seconds]
                      for records in runs[learner.name]
                      if records[-1]["seconds"] >= 0.95 * seconds]
            found = [records[-1] for records in before
                     if records and records[-1].get(name) is not None]
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


def natgrad_steps(options, images):
    found = run_steps(options, [
        "--only", "steps,forward,inversions", "--images", images,
        "--optimizers", "sgd,momentum,adam,kfac,kfac-no-model",
        "--threads", str(options.threads), "--rounds", "1",
        *(["--steps", "2", "--warm", "2"] if options.quick
          else ["--steps", "40", "--warm", "80"])])
    result = {f"natgrad-{what}": row["mean"]
              for (part, what), row in found.items() if part == "step"}
    for part, what, name in (
            ("forward", "predict 10000", "forward"),
            ("inversions", "16 factors, Cholesky", "inverses")):
        result["natgrad-" + name] = found[part, what]["median"]
    return result


def steps(options, table):
    """A step's mean over whole periods of statistics and inverses, of a
    forward pass and of the inverses the median."""
    images = idx_file(options.data, "train", "images-idx3")
    rounds, rate = [], []
    for _ in range(options.rounds or 3):
        peer = run_torch(options, [
            "steps", "--data", options.data, "--threads", str(options.threads),
            "--count", "2" if options.quick else "50"])
        rate.append(peer["gemm_flops"])
        found = {f"torch-{name}": value["mean"]
                 for name, value in peer.items() if isinstance(value, dict)}
        for name in ("forward", "inverses"):
            found["torch-" + name] = peer[name]["median"]
        if options.natgrad:
            found.update(natgrad_steps(options, images))
        rounds.append(found)
    forward, both = flops(1000)
    rate = statistics.median(rate)
    print(f"steps: torch's GEMM {rate / 1e9:.0f} Gflop/s; floors at that: "
          f"forward of 10,000 {10 * forward / rate:.3f} s, forward and "
          f"backward of 1,000 {both / rate:.4f} s")
    for figure, value in (("forward of 10,000", 10 * forward),
                          ("forward and backward", both)):
        table.append(["steps", "floor", "seconds, " + figure,
                      number(value / rate), "-", "-", "-", "-", "-"])
    median = compare("steps", "seconds", rounds, table,
                     {"momentum": "sgd", "kfac-no-model": "kfac"})
    for name, value in sorted(median.items()):
        program, kind = name.split("-", 1)
        if kind in ("adam", "kfac", "kfac-no-model"):
            table.append(["steps", name, "times its own sgd",
                          number(value / median[f"{program}-sgd"]),
                          *["-"] * 5])


def small(options, table):
    """One thread each: more only slow either down at this size. as-torch: by
    the settings of the peer's K-FAC."""
    digits = os.path.join(options.digits, "digits.csv.gz")
    rounds = []
    for _ in range(options.rounds or 5):
        peer = run_torch(options, [
            "small", "--data", options.digits, "--threads", "1",
            "--count", "250" if options.quick else "1000"])
        found = {"torch-" + name: peer[name]
                 for name in ("sgd", "adam", "kfac")}
        if options.natgrad:
            ours_found = run_steps(options, [
                "--only", "small", "--threads", "1", "--rounds", "1",
                "--digits", digits])
            found.update({f"natgrad-{what}": row["median"]
                          for (_, what), row in ours_found.items()})
        rounds.append(found)
    compare("small", "steps a second", rounds, table,
            {"kfac-as-torch": "kfac"})


def compare(case, figure, rounds, table, stand_in):
    """Medians over the rounds; natgrad-X against torch-X."""
    names = list(dict.fromkeys(name for found in rounds for name in found))
    median = {name: statistics.median(found[name] for found in rounds
                                      if name in found) for name in names}
    for name in sorted(names):
        kind = name.split("-", 1)[1]
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
    add("--learners", type=lambda text: text.split(","),
        help="of a race only these: natgrad-kfac,torch-adam,...")
    add("--reuse", action="store_true", help="traces that are there")
    add("--quick", action="store_true", help="only to see that it works")
    add("--threads", type=int, default=2)
    add("--python", default="/usr/bin/python3",
        help="a Python that has PyTorch")
    add("--out", default="out/bench")
    options = parser.parse_args()
    unknown = set(options.only) - {*CASES, *SPEED}
    if unknown:
        parser.error("no such case: " + ", ".join(sorted(unknown)))
    return options


def hurry(options):
    """A few iterations of everything, evaluated on few rows where one can
    choose."""
    options.rounds, options.seconds = 1, 1.0
    options.evaluate_every, options.evaluate_rows = 1000, 1000


def run_case(name, options, table):
    if name in SPEED:
        SPEED[name](options, table)
        return
    case = CASES[name](options)
    if options.learners:
        case.learners = [learner for learner in case.learners
                         if learner.name in options.learners]
    race(case, options, table)


def main():
    options = arguments()
    os.makedirs(options.out, exist_ok=True)
    if options.quick:
        hurry(options)
    for name in options.only:
        table = []
        try:
            run_case(name, options, table)
        except Failed as failure:
            print(f"SKIP {name}: {failure}")
            continue
        show(table)
        path = os.path.join(options.out, f"network-{name}.tsv")
        with open(path, "w") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(table)


if __name__ == "__main__":
    sys.exit(main())

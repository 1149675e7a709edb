"""Generalised linear models: natgrad against R, statsmodels, scikit-learn and
liblinear, and against the floor.

    glm.py --build BUILD --out DIR [--quick] [--threads 1,2] [--rounds 5]

Every program fits the same rows, in memory, to max |gradient| / n <= 1e-8 of
the mean loss, which is computed here from its coefficients; a peer begins at
its own tolerance and is tightened until it is that accurate, and what it
reached is in the table where it cannot be. Runs are interleaved, a process
each, and medians taken; a run that takes long is repeated less often. Seconds
are of the fit with its standard errors where a program has any; reading,
imports and a first small fit that loads and compiles come before.

The floor is R's number of iterations times one symmetric rank-k update X'X of
the whole design by the BLAS on the same threads: what plain scoring cannot do
without. R and the Python peers use that BLAS too, where the system's
alternatives say so (printed).

`extra` is by how much the process grew during the fit at most, over the bytes
of the design; of natgrad also what the library asked for.

DIR receives glm.tsv and, by gnuplot, glm.png.
"""

import argparse
import csv
import os
import shutil
import statistics
import subprocess
import sys

import numpy as np

import glm_data

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = 1e-8
LONG_SECONDS, LONG_ROUNDS = 10, 3
# rows, columns without the intercept, most times the floor, aim
FULL = [(100_000, 99, 1.6, 0.9), (1_000_000, 49, 2.0, 0.9)]
QUICK = [(20_000, 29, 1.6, 0.9)]
MODELS = {"binomial": "logit", "poisson": "Poisson"}
COLUMNS = ["problem", "n", "p", "threads", "method", "seconds", "floors",
           "over_natgrad", "iterations", "gradient", "extra", "held",
           "std_errors", "runs", "tolerance"]


class Failed(Exception):
    """A program that did not do what it was asked, with its last words."""


class Case:
    def __init__(self, family, rows, columns, must, aim, directory):
        self.family, self.rows, self.columns = family, rows, columns
        self.must, self.aim = must, aim
        self.name = f"{MODELS[family]} {rows:,} x {columns + 1}"
        self.directory = os.path.join(directory, f"{family}-{rows}-{columns}")
        self.design_bytes = 8 * rows * (columns + 1)

    def __enter__(self):
        glm_data.make(self.family, self.rows, self.columns, self.directory)
        self.X = np.memmap(os.path.join(self.directory, "X.bin"), float, "r",
                           shape=(self.columns, self.rows))
        self.y = np.fromfile(os.path.join(self.directory, "y.bin"))
        return self

    def __exit__(self, *_):
        del self.X
        shutil.rmtree(self.directory)

    def arguments(self):
        return [os.path.join(self.directory, "X.bin"),
                os.path.join(self.directory, "y.bin"), str(self.rows),
                str(self.columns)]

    def gradient(self, beta):
        return glm_data.gradient_norm(self.family, self.X, self.y, beta)


def run(command, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads),
                       OPENBLAS_NUM_THREADS=str(threads))
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["no message"]
        raise Failed(f"{os.path.basename(command[0])}: {words[-1]}")
    pairs = (line.split("\t") for line in done.stdout.splitlines())
    return {key: float(value) for key, value in pairs}


class Method:
    """A program under a tolerance; `command` makes its command line."""

    def __init__(self, name, command, tolerance, least=1e-15,
                 families=("binomial", "poisson")):
        self.name, self.command, self.families = name, command, families
        self.tolerance, self.least = tolerance, least
        self.runs, self.failure = [], None

    def fit(self, case, threads):
        out = os.path.join(case.directory, "answer.bin")
        found = run(self.command(case, threads, self.tolerance, out), threads)
        values = np.fromfile(out)
        p = case.columns + 1
        self.std_errors = len(values) == 2 * p
        self.gradient = case.gradient(values[:p])
        self.iterations = found.get("iterations", float("nan"))
        self.grown = found.get("grown", 0) / case.design_bytes
        self.held = found.get("held", float("nan")) / case.design_bytes
        return found["seconds"]

    def first(self, case, threads):
        """Tightened until accurate, or no tighter: the kept run counts."""
        while True:
            seconds = self.fit(case, threads)
            if not self.gradient > TARGET or self.tolerance <= self.least:
                break
            self.tolerance = max(self.tolerance / 100, self.least)
        self.runs.append(seconds)

    def seconds(self):
        return statistics.median(self.runs)

    def wants(self, turn):
        return (not self.failure and
                (turn < LONG_ROUNDS or self.seconds() < LONG_SECONDS))


class Floor:
    def __init__(self, program):
        self.program, self.updates = program, []

    def measure(self, case, threads):
        command = [self.program, *case.arguments(), str(threads)]
        self.updates.append(run(command, threads)["seconds"])

    def seconds(self, iterations):
        return iterations * statistics.median(self.updates)


def methods(build, family):
    def program(name):
        return os.path.join(build, "bench", name)

    def natgrad(case, threads, tolerance, out):
        return [program("bench_glm_fit"), *case.arguments(), case.family,
                str(threads), repr(tolerance), out]

    def r(method):
        return lambda case, threads, tolerance, out: [
            "Rscript", "--vanilla", os.path.join(HERE, "glm.R"),
            *case.arguments(), case.family, method, repr(tolerance), out]

    def python(method):
        return lambda case, threads, tolerance, out: [
            sys.executable, os.path.join(HERE, "glm_peer.py"),
            *case.arguments(), case.family, method, repr(tolerance), out]

    def liblinear(case, threads, tolerance, out):
        return [program("bench_glm_liblinear"), *case.arguments(),
                repr(tolerance), out]

    every = [Method("natgrad", natgrad, 0.0, 0.0),
             Method("R glm.fit", r("glm.fit"), 1e-8),
             Method("R glm", r("glm"), 1e-8),
             Method("statsmodels", python("statsmodels"), 1e-8),
             Method("sklearn newton-cholesky", python("newton-cholesky"), 1e-6,
                    1e-14),
             Method("sklearn lbfgs", python("lbfgs"), 1e-6, 1e-14)]
    if os.path.exists(program("bench_glm_liblinear")):
        every.append(Method("liblinear", liblinear, 1e-6, 1e-12,
                            ("binomial",)))
    return [m for m in every if family in m.families]


def measure(case, threads, every, floor, rounds):
    for turn in range(rounds):
        floor.measure(case, threads)
        for method in every:
            try:
                if turn == 0:
                    method.first(case, threads)
                elif method.wants(turn):
                    method.runs.append(method.fit(case, threads))
            except (Failed, OSError) as failure:
                method.failure = str(failure)
                print(f"{case.name}: {method.name}: {failure}", flush=True)


def rows_of(case, threads, every, floor):
    done = {m.name: m for m in every if m.runs and not m.failure}
    reference = done.get("R glm.fit") or done.get("natgrad")
    if not reference:
        return
    least = floor.seconds(reference.iterations)
    ours = done["natgrad"].seconds() if "natgrad" in done else float("nan")
    head = [case.name, case.rows, case.columns + 1, threads]
    yield head + ["floor", f"{least:.4g}", 1, f"{least / ours:.3g}",
                  f"{reference.iterations:.0f}", "-", "-", "-", "-",
                  len(floor.updates), "-"]
    for m in done.values():
        held = "-" if np.isnan(m.held) else f"{m.held:.1%}"
        yield head + [
            m.name, f"{m.seconds():.4g}", f"{m.seconds() / least:.3g}",
            f"{m.seconds() / ours:.3g}", f"{m.iterations:.0f}",
            f"{m.gradient:.1g}", f"{m.grown:.1%}", held,
            "yes" if m.std_errors else "no", len(m.runs), f"{m.tolerance:g}"]


def show(case, threads, rows, singles):
    ours = next((r for r in rows if r[4] == "natgrad"), None)
    if not ours:
        return
    print(f"{case.name}, {threads} thread(s): {ours[5]} s, {ours[6]} x floor "
          f"(must {case.must}, aim {case.aim}), max|g|/n {ours[9]}, extra "
          f"memory {ours[10]} (library {ours[11]})", flush=True)
    if threads == 1:
        singles[case.name] = float(ours[5])
    elif case.name in singles:
        print(f"{case.name}: {threads} threads are "
              f"{singles[case.name] / float(ours[5]):.2f} x one", flush=True)


def draw(out, table):
    """A panel for each problem on the first number of threads."""
    path = os.path.join(out, "glm-bars.tsv")
    names = list(dict.fromkeys(row[0] for row in table))
    with open(path, "w") as file:
        for name in names:
            for row in table:
                if row[0] == name and row[3] == table[0][3]:
                    file.write(f"{row[4]}\t{row[6]}\n")
            file.write("\n\n")
    titles = ",".join(f"'{name}'" for name in names)
    if shutil.which("gnuplot"):
        subprocess.run(
            ["gnuplot", "-e", f"data='{path}'; out='{out}/glm.png'; "
             f"array titles = [{titles}]", os.path.join(HERE, "glm.gp")],
            check=True)
        print(f"drawn in {out}/glm.png")


def print_versions():
    blas = "BLAS not known"
    if shutil.which("Rscript"):
        done = subprocess.run(
            ["Rscript", "--vanilla", "-e",
             "cat(R.version.string, 'on', extSoftVersion()[['BLAS']])"],
            stdout=subprocess.PIPE, text=True)
        blas = done.stdout or blas
    print(f"{blas}; numpy {np.__version__}; to max|gradient|/n <= {TARGET:g}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--out", default="out/bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int)
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else 5)
    table, singles = [], {}
    print_versions()
    for rows, columns, must, aim in QUICK if options.quick else FULL:
        for family in MODELS:
            with Case(family, rows, columns, must, aim, options.out) as case:
                for threads in map(int, options.threads.split(",")):
                    every = methods(options.build, family)
                    floor = Floor(os.path.join(options.build, "bench",
                                               "bench_glm_floor"))
                    measure(case, threads, every, floor, rounds)
                    found = list(rows_of(case, threads, every, floor))
                    show(case, threads, found, singles)
                    table += found
    with open(os.path.join(options.out, "glm.tsv"), "w") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(table)
    if table:
        draw(options.out, table)


if __name__ == "__main__":
    main()

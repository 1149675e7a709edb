"""Data larger than memory: `natgrad glm FILE --stream` under a memory limit.

    glm_stream.py --natgrad BUILD/natgrad --out DIR [--quick] [--threads 1]
                  [--keep] [--limit-mb 100]

A logistic regression of a CSV and of an NPY file, both several times larger
than the limit. The command runs under RLIMIT_DATA (heap and private mappings)
of the limit and what OpenBLAS maps for each thread, 128 MiB of which it
touches hardly any, and then lower by tenths of the limit as far as it still
succeeds (with less, OpenBLAS waits for ever; such a run is killed). The peak of
resident memory is the kernel's own count. Rates are of the whole command's
time: the file's bytes once, and times the passes over it.

This driver imports nothing large: the kernel counts a child's memory from
before it becomes another program. DIR receives glm-stream.tsv.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
BLAS_BUFFER = 128 * MIB
# rows, columns without the target
FULL = {"csv": (2_000_000, 20), "npy": (6_500_000, 20)}
QUICK = {"csv": (20_000, 20), "npy": (60_000, 20)}
COLUMNS = ["file", "file_mb", "rows", "columns", "threads", "limit_mb",
           "lowest_limit_mb", "peak_rss_mb", "seconds", "wall_seconds",
           "iterations", "passes", "file_mb_per_second",
           "pass_mb_per_second", "gradient"]


class Failed(Exception):
    """The command under test did not succeed, with its last words."""


def limited(limit):
    def set_limit():
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    return set_limit


def wait(child, deadline):
    """Exit code and usage; the child does not outlive the deadline."""
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return usage
        if time.perf_counter() > deadline:
            child.kill()
            deadline = float("inf")
        time.sleep(0.01)


def run(command, limit, environment, seconds=float("inf")):
    """Result, wall seconds and peak resident bytes of a command."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=error,
                                 env=environment, preexec_fn=limited(limit))
        usage = wait(child, start + seconds)
        wall = time.perf_counter() - start
        out.seek(0)
        error.seek(0)
        if child.returncode:
            words = error.read().decode(errors="replace").strip().splitlines()
            raise Failed(words[-1] if words else f"exit {child.returncode}")
        return json.load(out), wall, usage.ru_maxrss * 1024


def passes_of(trace, rows):
    """Rows looked at over rows, from the last line of the trace."""
    try:
        with open(trace) as lines:
            last = json.loads(lines.readlines()[-1])
        return last["examples"] / rows
    except (OSError, IndexError, KeyError, ValueError):
        return float("nan")


def gradient_of(result, rows, columns):
    """max|gradient|/n at the answer, by a program that may use memory."""
    beta = ",".join(repr(c["estimate"]) for c in result["coefficients"])
    done = subprocess.run(
        [sys.executable, os.path.join(HERE, "glm_data.py"), "judge",
         "binomial", str(rows), str(columns), beta],
        stdout=subprocess.PIPE, check=True, text=True)
    return float(done.stdout)


def lowest_limit(command, most, buffers, environment, seconds):
    """Tenths of the limit downward until the command fails."""
    lowest = most
    for tenth in range(9, 0, -1):
        limit = most * tenth // 10
        try:
            run(command, limit + buffers, environment, seconds)
        except Failed:
            break
        lowest = limit
    return lowest


def measure(options, kind, rows, columns):
    path = os.path.join(options.out, f"glm-stream-{rows}.{kind}")
    trace = os.path.join(options.out, "glm-stream.jsonl")
    if not os.path.exists(path):
        subprocess.run([sys.executable, os.path.join(HERE, "glm_data.py"),
                        "table", "binomial", str(rows), str(columns), path],
                       check=True)
    size = os.path.getsize(path)
    command = [options.natgrad, "glm", path, "--stream", "--target",
               f"V{columns + 1}", "--family", "binomial", "--threads",
               str(options.threads), "--quiet", "--json"]
    environment = dict(os.environ, OPENBLAS_NUM_THREADS="1",
                       OMP_NUM_THREADS="1")
    limit = options.limit_mb * MIB
    buffers = options.threads * BLAS_BUFFER
    result, wall, peak = run(command + ["--trace", trace], limit + buffers,
                             environment)
    lowest = lowest_limit(command, limit, buffers, environment, 3 * wall + 5)
    passes = passes_of(trace, rows)
    gradient = gradient_of(result, rows, columns)
    if not options.keep:
        os.remove(path)
    return [kind, f"{size / 1e6:.0f}", rows, columns, options.threads,
            options.limit_mb, lowest // MIB, f"{peak / 1e6:.1f}",
            f"{result['seconds']:.3g}", f"{wall:.3g}", result["iterations"],
            f"{passes:.1f}", f"{size / 1e6 / wall:.0f}",
            f"{passes * size / 1e6 / wall:.0f}", f"{gradient:.1g}"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--natgrad", default="build/natgrad")
    parser.add_argument("--out", default="out/bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit-mb", type=int, default=100)
    options = parser.parse_args()
    with open(os.path.join(options.out, "glm-stream.tsv"), "w") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        for kind, size in (QUICK if options.quick else FULL).items():
            try:
                row = measure(options, kind, *size)
            except Failed as failure:
                print(f"{kind}: natgrad: {failure}", flush=True)
                continue
            writer.writerow(row)
            print(f"{kind}: {row[1]} MB fitted within {row[7]} MB resident, "
                  f"{row[12]} MB/s of file, {row[13]} MB/s read", flush=True)


if __name__ == "__main__":
    main()

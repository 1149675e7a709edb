"""A table of numbers: natgrad's CSV reader against pandas.

    csv.py BENCH_CSV OUT.tsv [ROWS [COLUMNS [REPEATS]]]

The file has numbers of 17 digits and lies in a temporary folder. It is read
by natgrad with one and with two threads, as a frame and as a stream, and by
pandas.read_csv (its C engine), each in a process of its own, in turn; the
table has the medians. bench_csv check compares every value with strtod's;
pandas' own default is not exact, its float_precision="round_trip" is.
"""

import os
import statistics
import subprocess
import sys
import tempfile

PANDAS = """
import resource, sys, time
import pandas
options = {"float_precision": sys.argv[2]} if len(sys.argv) > 2 else {}
start = time.perf_counter()
frame = pandas.read_csv(sys.argv[1], **options)
seconds = time.perf_counter() - start
peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(seconds, peak, frame.size)
"""


def run(command):
    text = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak, values = text.stdout.split()
    return float(seconds), int(peak), int(values)


def main():
    bench, out = sys.argv[1:3]
    rows, columns, repeats = (
        [int(a) for a in sys.argv[3:]] + [1000000, 50, 5][len(sys.argv) - 3:])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "table.csv")
        subprocess.run([bench, "write", path, str(rows), str(columns)],
                       check=True)
        size = os.path.getsize(path)
        run([bench, "check", path])
        cases = {
            ("natgrad", 1): [bench, "read", path, "1"],
            ("natgrad", 2): [bench, "read", path, "2"],
            ("natgrad stream", 1): [bench, "stream", path, "1"],
            ("natgrad stream", 2): [bench, "stream", path, "2"],
            ("pandas", 1): [sys.executable, "-c", PANDAS, path],
            ("pandas round_trip", 1):
                [sys.executable, "-c", PANDAS, path, "round_trip"],
        }
        seconds = {case: [] for case in cases}
        peak = dict.fromkeys(cases, 0)
        for _ in range(repeats):
            for case, command in cases.items():
                took, bytes_, values = run(command)
                assert values == rows * columns
                seconds[case].append(took)
                peak[case] = max(peak[case], bytes_)
    pandas = statistics.median(seconds["pandas", 1])
    with open(out, "w", encoding="utf-8") as table:
        print("reader", "threads", "seconds", "MB/s", "pandas_over_this",
              "peak_over_values", sep="\t", file=table)
        for case, took in seconds.items():
            median = statistics.median(took)
            print(*case, f"{median:.3f}", f"{size / median / 1e6:.0f}",
                  f"{pandas / median:.1f}",
                  f"{peak[case] / (8 * rows * columns):.2f}", sep="\t",
                  file=table)


if __name__ == "__main__":
    main()

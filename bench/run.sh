#!/bin/sh
# Runs the benches against the build in $1 (default: build) and leaves in
# out/bench: bench.tsv (everything), softmax.tsv, cost.tsv, slopes.tsv and the
# picture cost.png. natgrad and its peers run in turn, one thread each.
set -eu

build=${1:-build}
out=out/bench
mkdir -p $out "$build"
scripts/setup.sh python3-sklearn python3-numpy

# One thread each, and none that spins while the other works.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive

# Debian's packages belong to Debian's Python, whichever comes first in PATH.
python=
for candidate in "${PYTHON-}" /usr/bin/python3 python3; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sklearn, numpy' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || {
    echo "the bench needs a Python with scikit-learn (PYTHON=...)" >&2
    exit 1
}

cmake --build "$build" --target natgrad bench_cost bench_floor >/dev/null

echo "== Softmax: seconds to the same accuracy =="
"$python" bench/softmax.py "$build/natgrad" "$build/bench/bench_floor" \
    data ../shared/data/mnist $out $out/softmax.tsv

echo
echo "== Cost of one step over the number of parameters =="
"$build/bench/bench_cost" $out/cost.tsv $out/slopes.tsv
if command -v gnuplot >/dev/null 2>&1; then
    gnuplot -e "out='$out'" bench/cost.gp
    echo "drawn in $out/cost.png"
fi

awk -F '\t' -v OFS='\t' '
    FILENAME == ARGV[1] { print; next }
    $1 == "step" {
        print $1, $2, $3, $4, 1, $5, "-", "-", "-", "-", $7, "-", "-", "-", "-"
    }' $out/softmax.tsv $out/cost.tsv >$out/bench.tsv

table() {
    awk -F '\t' '{
        for (i = 1; i <= NF; i++) {
            cell[NR, i] = $i
            if (length($i) > width[i]) width[i] = length($i)
        }
        columns = NF > columns ? NF : columns
    }
    END {
        for (row = 1; row <= NR; row++) {
            line = ""
            for (i = 1; i <= columns; i++)
                line = line sprintf("%-*s  ", width[i], cell[row, i])
            sub(/ +$/, "", line)
            print line
        }
    }' "$@"
}
echo
table $out/bench.tsv
echo
echo "Growth, seconds ~ d^s and bytes ~ d^b over the last points:"
table $out/slopes.tsv
echo
echo "ratio: natgrad over the peer; floor_ratio: over the flops that cannot be"
echo "spared at the BLAS's own rate; residual: max|gradient| of the penalised"
echo "mean loss (softmax), relative residual of the solve (step)."

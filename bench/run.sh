#!/bin/sh
# bench/run.sh [BUILD [PART...]] runs the benches against BUILD (default: build)
# and leaves tables and pictures in out/bench. Parts, and about how many
# minutes each takes on two idle cores:
#
#   core          8   softmax and steps against scikit-learn, one thread each:
#                     bench.tsv, softmax.tsv, cost.tsv, slopes.tsv, cost.png
#   network-cost  6   a network's step over its width: network-cost.tsv, .svg
#   network-steps 16  steps of the autoencoder on one and two threads, their
#                     floors, small networks: network-steps.json
#   steps         10  the same beside PyTorch, in turn: network-steps.tsv
#   small         1   64-32-10 beside PyTorch: network-small.tsv
#   autoencoder   25  races against PyTorch: network-*.tsv, curves-*.tsv, *.png
#   classifier    12
#   lenet         40
#   glm           40  generalised linear models in memory against R, statsmodels,
#                     scikit-learn and liblinear: glm.tsv, glm.png
#   softmax       40  ten classes of 60,000 x 785 against scikit-learn's lbfgs:
#                     glm-softmax.tsv
#   stream        10  files several times larger than a memory limit of 100 MB:
#                     glm-stream.tsv
#   csv           4   reading a table beside pandas: csv.tsv
#
# Without a PART all of them run. NETWORK_OPTIONS are further ones for
# bench/network.py, GLM_OPTIONS for bench/glm.py, STREAM_OPTIONS for
# bench/glm_stream.py: --quick in them shows only that it works. So does
# SOFTMAX_OPTIONS='--rows 2000 --repeats 1'. CSV_OPTIONS: rows, columns, repeats.
set -eu

build=${1:-build}
[ $# -eq 0 ] || shift
all="core network-cost network-steps steps small autoencoder classifier lenet \
    glm softmax stream csv"
parts=${*:-$all}
out=out/bench
mnist=../shared/data/mnist
fashion=/usr/share/datasets/fashion-mnist
mkdir -p $out "$build"

# No pool spins while another works.
export OMP_WAIT_POLICY=passive

# Debian's packages belong to Debian's Python, whichever comes first in PATH.
find_python() {
    for candidate in "${PYTHON-}" /usr/bin/python3 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c "import $1" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "the bench needs a Python with $1 (PYTHON=...)" >&2
    exit 1
}

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

draw() {
    command -v gnuplot >/dev/null 2>&1 || return 0
    gnuplot -e "out='$out'" "bench/$1.gp"
    echo "drawn in $out/$2"
}

core() {
    scripts/setup.sh python3-sklearn python3-numpy
    python=$(find_python sklearn)
    cmake --build "$build" --target natgrad bench_cost bench_floor >/dev/null
    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

    echo "== Softmax: seconds to the same accuracy =="
    "$python" bench/softmax.py "$build/natgrad" "$build/bench/bench_floor" \
        data $mnist $out $out/softmax.tsv

    echo
    echo "== Cost of one step over the number of parameters =="
    "$build/bench/bench_cost" $out/cost.tsv $out/slopes.tsv
    draw cost cost.png

    awk -F '\t' -v OFS='\t' '
        FILENAME == ARGV[1] { print; next }
        $1 == "step" {
            print $1, $2, $3, $4, 1, $5, "-", "-", "-", "-", $7, "-", "-", \
                "-", "-"
        }' $out/softmax.tsv $out/cost.tsv >$out/bench.tsv

    echo
    table $out/bench.tsv
    echo
    echo "Growth, seconds ~ d^s and bytes ~ d^b over the last points:"
    table $out/slopes.tsv
    echo
    echo "ratio: natgrad over the peer; floor_ratio: over the flops that cannot"
    echo "be spared at the BLAS's own rate; residual: max|gradient| of the"
    echo "penalised mean loss (softmax), relative residual of the solve (step)."
}

network_cost() {
    echo "== Cost of a network's step over its width =="
    cmake --build "$build" --target bench_network_cost >/dev/null
    OPENBLAS_NUM_THREADS=1 "$build/bench/bench_network_cost" \
        $out/network-cost.tsv
    table $out/network-cost.tsv
    draw network_cost network-cost.svg
}

network_steps() {
    echo "== Steps of the autoencoder 784-1000-500-250-30-... at batch 1000 =="
    cmake --build "$build" --target bench_network_steps >/dev/null
    set -- --digits data/digits.csv.gz
    images=$mnist/train-images-idx3-ubyte.gz
    [ ! -f $images ] || set -- "$@" --images $images
    OPENBLAS_NUM_THREADS=1 "$build/bench/bench_network_steps" "$@" \
        --json-file $out/network-steps.json
}

network() {
    echo "== $1: natgrad and PyTorch in turn =="
    scripts/setup.sh python3-torch
    if [ "$1" = lenet ] && [ ! -d $fashion ]; then
        scripts/setup.sh dataset-fashion-mnist
    fi
    python=$(find_python torch)
    cmake --build "$build" --target natgrad bench_network_steps >/dev/null
    # shellcheck disable=SC2086 # a list of options, meant to split
    "$python" bench/network.py --natgrad "$build/natgrad" --data $mnist \
        --fashion $fashion --out $out --python "$python" --only "$1" \
        ${NETWORK_OPTIONS-}
}

glm() {
    echo "== Generalised linear models in memory: natgrad, its peers, a floor =="
    scripts/setup.sh python3-sklearn python3-statsmodels r-base-core \
        liblinear-dev
    python=$(find_python statsmodels)
    cmake --build "$build" --target bench_glm_fit bench_glm_floor >/dev/null
    cmake --build "$build" --target bench_glm_liblinear >/dev/null 2>&1 ||
        echo "without liblinear: configure again once it is installed"
    # shellcheck disable=SC2086 # a list of options, meant to split
    "$python" -B bench/glm.py --build "$build" --out $out ${GLM_OPTIONS-}
    table $out/glm.tsv
}

softmax() {
    echo "== Softmax of large designs: natgrad and scikit-learn's lbfgs =="
    scripts/setup.sh python3-sklearn python3-numpy
    python=$(find_python sklearn)
    cmake --build "$build" --target bench_glm_softmax >/dev/null
    # shellcheck disable=SC2086 # a list of options, meant to split
    "$python" -B bench/glm_softmax.py "$build/bench/bench_glm_softmax" \
        $mnist $out $out/glm-softmax.tsv ${SOFTMAX_OPTIONS-}
    table $out/glm-softmax.tsv
}

stream() {
    echo "== Fits of files larger than the memory limit =="
    scripts/setup.sh python3-numpy
    python=$(find_python numpy)
    cmake --build "$build" --target natgrad >/dev/null
    # shellcheck disable=SC2086 # a list of options, meant to split
    "$python" -B bench/glm_stream.py --natgrad "$build/natgrad" --out $out \
        ${STREAM_OPTIONS-}
    table $out/glm-stream.tsv
}

csv() {
    echo "== Reading a CSV of numbers: natgrad and pandas =="
    scripts/setup.sh python3-pandas
    python=$(find_python pandas)
    cmake --build "$build" --target bench_csv >/dev/null
    # shellcheck disable=SC2086 # sizes, meant to split
    "$python" -B bench/read_csv.py "$build/bench/bench_csv" $out/csv.tsv \
        ${CSV_OPTIONS-}
    table $out/csv.tsv
}

for part in $parts; do
    case $part in
    core) (core) ;;
    network-cost) network_cost ;;
    network-steps) network_steps ;;
    glm) glm ;;
    softmax) softmax ;;
    stream) stream ;;
    csv) csv ;;
    steps | small | autoencoder | classifier | lenet) network "$part" ;;
    *)
        echo "bench/run.sh has no part $part; its head lists them" >&2
        exit 2
        ;;
    esac
    echo
done

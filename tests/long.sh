#!/bin/sh
# The checks that are too slow for every commit: all tests under the address
# and undefined-behaviour sanitizers, every fuzz target for SECONDS_EACH
# (default 60) from its seeds, and the examples under valgrind where it is
# installed. Builds go to SANITIZE_BUILD and FUZZ_BUILD; MATCH limits the
# sanitized tests to names that match.
set -u

jobs=${JOBS:-2}
seconds=${SECONDS_EACH:-60}
sanitize=${SANITIZE_BUILD:-build/sanitize}
fuzz=${FUZZ_BUILD:-build/fuzz}
plain=${PLAIN_BUILD:-build}
status=0

build() {
    preset=$1 folder=$2
    mkdir -p "$folder"
    cmake --preset "$preset" -B "$folder" >"$folder/configure.log" 2>&1 || {
        cat "$folder/configure.log"
        return 1
    }
    cmake --build "$folder" -j "$jobs" >"$folder/build.log" 2>&1 || {
        cat "$folder/build.log"
        return 1
    }
}

verdict() {
    if [ "$1" -eq 0 ]; then
        echo "ok $2"
    else
        echo "not ok $2"
        status=1
    fi
}

echo "== Every test under ASan and UBSan =="
# BLAS threads of a library that is not instrumented only cost time here.
export OPENBLAS_NUM_THREADS=1
export UBSAN_OPTIONS=print_stacktrace=1
if build sanitize "$sanitize"; then
    ctest --test-dir "$sanitize" --output-on-failure --timeout 3000 \
        -j "$jobs" ${MATCH:+-R "$MATCH"}
    verdict $? sanitizers
else
    verdict 1 sanitizers
fi

echo "== Every fuzz target for $seconds seconds =="
scripts/setup.sh clang libclang-rt-14-dev || exit 1
if build fuzz "$fuzz"; then
    for target in tests/fuzz/fuzz_*.c; do
        name=$(basename "$target" .c)
        corpus=$fuzz/corpus/${name#fuzz_}
        mkdir -p "$corpus"
        # New inputs go to the first folder, the seeds stay as they are. One
        # that fails is kept beside the corpus.
        "$fuzz/tests/$name" -max_total_time="$seconds" -timeout=10 \
            -rss_limit_mb=4096 -print_final_stats=1 -verbosity=0 \
            -artifact_prefix="$fuzz/corpus/$name-" "$corpus" \
            "tests/fuzz/seeds/${name#fuzz_}" >"$fuzz/$name.log" 2>&1
        failed=$?
        [ $failed -eq 0 ] || tail -n 40 "$fuzz/$name.log"
        grep 'number_of_executed_units' "$fuzz/$name.log"
        verdict $failed "$name"
    done
else
    verdict 1 fuzz_build
fi

if command -v valgrind >/dev/null 2>&1; then
    echo "== The examples under valgrind =="
    for example in "$plain"/examples/example_*; do
        [ -x "$example" ] || continue
        valgrind --quiet --leak-check=full --error-exitcode=1 "$example" \
            >"$plain/valgrind.log" 2>&1
        failed=$?
        [ $failed -eq 0 ] || tail -n 40 "$plain/valgrind.log"
        verdict $failed "valgrind_$(basename "$example")"
    done
else
    echo "SKIP valgrind: not installed"
fi
exit $status

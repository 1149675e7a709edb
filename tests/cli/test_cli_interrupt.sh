#!/bin/sh
# Ctrl-C: the run ends at its next iteration, and what it has is kept.
. "$SOURCE/tests/cli/lib.sh"

awk 'BEGIN { srand(1); print "a,b,y"
    for (i = 0; i < 20000; i++)
        printf "%.6f,%.6f,%d\n", rand(), rand() * 100, rand() < 0.3 }' >big.csv
awk 'BEGIN { srand(2); print "y"
    for (i = 0; i < 5000; i++) printf "%.6f\n", -log(rand()) }' >waits.csv
endless='--optimizer gradient --tol 0 --max-iter 1e9'

# interrupt SIGNAL ARGUMENT...: after two seconds; $status is its own. A
# background command of a shell without job control ignores SIGINT until the
# command installs its handler, which it does before it reads.
input=/dev/null
interrupt() {
    signal=$1
    shift
    "$NATGRAD" "$@" <"$input" >out 2>err &
    child=$!
    sleep 2
    kill "-$signal" $child
    wait $child
    status=$?
}

interrupt INT glm big.csv --target y --family binomial --no-standardize \
    --step fixed --rate 1e-9 $endless --out m.safetensors --json --quiet
check glm_status [ $status -eq 1 ]
check glm_message grep -qE \
    '^natgrad: interrupted after [0-9]+ iterations?; the model so far is in m.safetensors$' err
check glm_nothing_else_said [ "$(wc -l <err)" -eq 1 ]
check glm_json_says_so grep -q '"stop": "stopped by request"' out
check glm_json_not_converged grep -q '"converged": false' out
succeed glm_model_loads show m.safetensors
succeed glm_model_predicts predict m.safetensors big.csv
check glm_all_rows_predicted [ "$(wc -l <out)" -eq 20001 ]

interrupt TERM glm big.csv --target y --family binomial --no-standardize \
    --step fixed --rate 1e-9 $endless --quiet
check glm_terminated [ $status -eq 1 ]
check glm_terminated_message grep -qE \
    '^natgrad: interrupted after [0-9]+ iterations?$' err

interrupt INT dist waits.csv --column y --family gamma --step fixed \
    --rate 1e-9 $endless --out d.safetensors --trace t.jsonl --quiet
check dist_status [ $status -eq 1 ]
check dist_message grep -qE \
    '^natgrad: interrupted after [0-9]+ iterations?; the model so far is in d.safetensors$' err
succeed dist_model_loads show d.safetensors
check dist_trace_is_kept [ "$(tail -n 1 t.jsonl | grep -c 'stopped by request')" -eq 1 ]

interrupt INT compare glm big.csv --target y --family binomial \
    --optimizers gradient,adam --tune-iter 1e6 --tol 0 --quiet
check compare_status [ $status -eq 1 ]
check compare_message [ "$(cat err)" = 'natgrad: interrupted' ]

# While it reads.
mkfifo pipe
{
    echo 'x,y'
    echo '1,2'
    sleep 4
} >pipe &
writer=$!
input=pipe
interrupt INT glm - --target y --family gaussian
kill $writer 2>/dev/null
check reading_status [ $status -eq 1 ]
check reading_message [ "$(cat err)" = \
    'natgrad: standard input: reading cancelled' ]
finish

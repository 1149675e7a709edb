#!/bin/sh
# Networks that are stopped: Ctrl-C and --resume, kill -9 at any moment,
# checkpoints that do not fit.
. "$SOURCE/tests/cli/lib.sh"

gzip -dc "$SOURCE/data/digits.csv.gz" | head -n 601 >digits.csv

# train ARGUMENT...: some seconds of work
train() {
    "$NATGRAD" net digits.csv --target digit --family categorical \
        --layers '48 tanh, 48 tanh' --batch 50 --quiet "$@"
}

# tensors FILE: its numbers, without what the header says of seconds.
tensors() {
    length=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    tail -c "+$((length + 9))" "$1"
}

same_model() {
    tensors "$1" >one
    tensors "$2" >other
    cmp -s one other && [ -s one ]
}

# ---- Ctrl-C ----
limits='--epochs 500'
# shellcheck disable=SC2086 # words on purpose
train $limits --out whole.safetensors >/dev/null 2>err
check whole_run [ $? -eq 0 ]

# interrupt SIGNAL SECONDS [--resume]: a run that gets the signal so long after
# it has a checkpoint; $status is its own
interrupt() {
    # shellcheck disable=SC2086 # words on purpose
    "$NATGRAD" net digits.csv --target digit --family categorical \
        --layers '48 tanh, 48 tanh' --batch 50 --quiet $limits \
        --checkpoint state --checkpoint-every 7 --out stopped.safetensors \
        --trace t.jsonl ${3:-} >out 2>err &
    child=$!
    while [ -z "$(ls state 2>/dev/null)" ] && kill -0 $child 2>/dev/null; do
        sleep 0.01
    done
    sleep "$2"
    kill "-$1" $child 2>/dev/null
    wait $child 2>/dev/null
    status=$?
}
rm -rf state
interrupt INT 0.1
check interrupted_status [ $status -eq 1 ]
check interrupted_message grep -qE \
    "^natgrad: stopped at iteration [0-9]+; go on with: natgrad net --resume digits.csv .*--layers '48 tanh, 48 tanh' .*--trace t.jsonl\$" \
    err
check interrupted_one_line [ "$(wc -l <err)" -eq 1 ]
cp err message
succeed interrupted_model_loads show stopped.safetensors
stopped_at=$(sed -n 's/.*stopped at iteration \([0-9]*\);.*/\1/p' message)
check interrupted_trace_is_kept [ "$(wc -l <t.jsonl)" -eq "$stopped_at" ]
# The command that it names, as a shell reads it.
go_on=$(sed -n 's/.*go on with: natgrad //p' message)
eval "\"\$NATGRAD\" $go_on" >out 2>err
check resumed_as_told [ $? -eq 0 ]
check resumed_model_is_the_whole_one same_model whole.safetensors \
    stopped.safetensors
check resumed_trace_is_whole [ "$(sed -n \
    's/^{"iteration": \([0-9]*\),.*/\1/p' t.jsonl |
    awk '$1 != NR { bad++ } END { print NR ":" bad + 0 }')" = \
    "$(grep -c . t.jsonl):0" ]
eval "\"\$NATGRAD\" $go_on" >out 2>err
check resuming_a_finished_run [ $? -eq 0 ]
check finished_model_is_the_same same_model whole.safetensors \
    stopped.safetensors

check nothing_left_behind [ -z "$(find . -name '.natgrad-*')" ]

# ---- kill -9 ----
rm -rf state stopped.safetensors
resume=
kills=0
for seconds in 0.01 0.043 0.07 0.002 0.031; do
    interrupt KILL $seconds $resume
    [ $status -eq 137 ] && kills=$((kills + 1))
    resume=--resume
done
check killed_at_all [ $kills -ge 2 ]
# shellcheck disable=SC2086 # words on purpose
train $limits --checkpoint state --checkpoint-every 7 --resume \
    --out stopped.safetensors >out 2>err
check killed_run_resumes [ $? -eq 0 ]
check killed_run_ends_the_same same_model whole.safetensors stopped.safetensors

# ---- Checkpoints that do not fit ----
mismatch() {
    name=$1
    shift
    run net digits.csv --target digit --family categorical --quiet \
        --checkpoint state --resume "$@"
    check "$name" [ $status -eq 3 ]
    check "${name}_message" grep -q '^natgrad: .*state' err
    check "${name}_one_line" [ "$(wc -l <err)" -eq 1 ]
}
mismatch checkpoint_of_other_layers --layers '16 tanh' --batch 50 --epochs 500
mismatch checkpoint_of_another_optimizer --layers '48 tanh, 48 tanh' \
    --optimizer adam --batch 50 --epochs 500
mismatch checkpoint_of_another_seed --layers '48 tanh, 48 tanh' --seed 2 \
    --batch 50 --epochs 500
for file in state/*; do
    head -c 100 "$file" >cut && cp cut "$file"
done
mismatch checkpoint_that_is_cut --layers '48 tanh, 48 tanh' --batch 50 \
    --epochs 500
finish

#!/bin/sh
# Networks from the command: training, results, files, use, races, bad input.
. "$SOURCE/tests/cli/lib.sh"

gzip -dc "$SOURCE/data/digits.csv.gz" >all.csv
head -n 301 all.csv >digits.csv
{
    head -n 1 all.csv
    sed -n '302,401p' all.csv
} >more.csv

# bytes NUMBER...: as they are
bytes() {
    # shellcheck disable=SC2059 # the format is the data
    printf "$(printf '\\%03o' "$@")"
}
# size N: 32 bits, the high ones first
size() {
    bytes 0 0 $(($1 / 256)) $(($1 % 256))
}
# Images of H x W whose stripes are rows (label 0) or columns (label 1).
images() {
    bytes 0 0 8 3
    size "$1"
    size "$2"
    size "$3"
    # shellcheck disable=SC2046 # words on purpose
    bytes $(awk -v n="$1" -v h="$2" -v w="$3" 'BEGIN {
        srand(1)
        for (i = 0; i < n; i++)
            for (r = 0; r < h; r++)
                for (c = 0; c < w; c++)
                    print int((i % 2 ? c % 2 : r % 2) * 200 + rand() * 50) }')
}
labels() {
    bytes 0 0 8 1
    size "$1"
    # shellcheck disable=SC2046 # words on purpose
    bytes $(awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print i % 2 }')
}
images 80 8 8 | gzip >images.gz
labels 80 | gzip >labels.gz
images 30 8 8 >test-images
labels 30 >test-labels

# json KEY: its value in `out`, one line
json() {
    sed -n "s/^  \"$1\": \\(.*[^,]\\),\\{0,1\\}\$/\\1/p" out
}

# train ARGUMENT...: a small network on the digits
train() {
    run net digits.csv --target digit --family categorical \
        --layers '16 tanh' --quiet "$@"
}
expect_train() {
    train_name=$1 train_status=$2 train_message=$3
    shift 3
    expect "$train_name" "$train_status" "$train_message" net digits.csv \
        --target digit --family categorical --layers '16 tanh' --quiet "$@"
}

# ---- A good run ----
train --epochs 4 --batch 50 --valid 0.2 --test more.csv --out m.safetensors \
    --trace t.jsonl --onnx m.onnx --json
check net_trains [ $status -eq 0 ]
check net_says_nothing_else [ ! -s err ]
for key in learner family target layers parameters optimizer epochs \
    iterations seconds train valid test converged trace_file model_file \
    onnx_file batch damping rate momentum l2 memory_mib stop warnings; do
    check "net_json_has_$key" grep -q "^  \"$key\":" out
done
check net_json_learner [ "$(json learner)" = '"net"' ]
check net_json_layers [ "$(json layers)" = '"16 tanh"' ]
check net_json_parameters [ "$(json parameters)" = 1210 ]
check net_json_optimizer [ "$(json optimizer)" = '"kfac"' ]
check net_json_epochs [ "$(json epochs)" = 4 ]
check net_json_converged [ "$(json converged)" = true ]
check net_json_trace_file [ "$(json trace_file)" = '"t.jsonl"' ]
iterations=$(json iterations)
check net_trace_has_every_iteration [ "$(wc -l <t.jsonl)" -eq "$iterations" ]
check net_trace_lines_are_objects [ "$(grep -cE \
    '^\{"iteration": [0-9]+, "epoch": [0-9]+, "batch": 50, "seconds": [0-9.e+-]+, "examples": [0-9]+, "loss": .*\}$' \
    t.jsonl)" -eq "$iterations" ]
for key in objective gradient_norm decrement rate momentum damping reduction \
    kl; do
    check "net_trace_has_$key" grep -q "\"$key\": " t.jsonl
done
check net_trace_is_evaluated_every_epoch [ "$(grep -c \
    '"train": {"loss": [0-9.e+-]*, "accuracy": .*"valid": {.*"test": {' \
    t.jsonl)" -eq 4 ]
if have python3; then
    check net_trace_parses python3 -c '
import json, sys
for line in open("t.jsonl"): json.loads(line)
json.load(open("out"))'
else
    skip net_trace_parses 'no python3'
fi
train --epochs 4 --batch 50 --valid 0.2 --test more.csv --out again.safetensors
check net_table_has_scores grep -qE '^test +[0-9.e+-]+ +[0-9.]+$' out
check net_table_says_what_it_is grep -qx 'net, family categorical, target digit' out
train --max-iter 3
check net_limit_in_iterations grep -q '^iterations done after 3 iterations' out
"$NATGRAD" predict m.safetensors more.csv >one
"$NATGRAD" predict again.safetensors more.csv >other
check net_is_the_same_again cmp -s one other
check net_memory_is_said_before [ "$("$NATGRAD" net digits.csv --target digit \
    --max-iter 1 2>&1 >/dev/null |
    grep -cE '^natgrad: training will take [0-9]+ MiB$')" -eq 1 ]

# ---- Limits and ways ----
train --epochs 400 --target-loss 0.05 --json
check net_target_loss [ "$(json stop)" = '"target loss reached"' ]
train --epochs 400 --valid 0.3 --patience 2 --json
check net_patience [ "$(json stop)" = \
    '"validation loss no longer falls"' ]
train --seconds 0.05 --json
check net_seconds [ "$(json stop)" = '"time is up"' ]
train --max-iter 1 --target-loss 0 --json
check net_target_not_reached [ "$status $(json converged)" = '1 false' ]
check net_target_not_reached_message [ "$(cat err)" = \
    'natgrad: the run did not converge: iterations done' ]
train --precision double --schedule cosine --init torch --l2 1e-4 \
    --fisher exact --damping 0.1 --kl 0.01 --rate 0.1 --epochs 2 --json
check net_takes_many_options [ "$status $(json l2)" = '0 0.0001' ]
train --test more.csv --test digits.csv --epochs 1 --json
check net_tests_twice [ "$(grep -c '"file": ' out)" -eq 2 ]
"$NATGRAD" net - --target digit --family categorical --epochs 1 --quiet \
    <digits.csv >out 2>err
check net_from_standard_input [ $? -eq 0 ]
check net_without_layers grep -qx \
    'layers none but the output; 650 parameters' out
train --epochs 1 --out - --trace t.jsonl
mv out piped
succeed net_to_standard_output show piped
cat >layers.json <<'END'
[{"layer": "dense", "outputs": 16, "activation": "tanh"}]
END
run net digits.csv --target digit --family categorical --epochs 1 --quiet \
    --layers layers.json --json
check net_layers_from_json [ "$(json layers)" = '"16 tanh"' ]
awk 'NR == 3 { sub(/^[^,]*/, "NA") } { print }' digits.csv >gaps.csv
run net gaps.csv --target digit --family categorical --epochs 1 --quiet
check net_missing_value [ $status -eq 3 ]
run net gaps.csv --target digit --family categorical --epochs 1 --quiet \
    --missing drop
check net_missing_value_dropped [ $status -eq 0 ]

# ---- Every optimizer, a few steps ----
for optimizer in kfac ekfac layer-dense natural sample-space diagonal cg sgd \
    momentum rmsprop adam adamw; do
    train --optimizer $optimizer --max-iter 4 --batch 64 --json
    check "net_by_$optimizer" [ "$status $(json optimizer)" = \
        "0 \"$optimizer\"" ]
done

# ---- Use ----
succeed net_shows show m.safetensors
check net_shows_layers grep -qE '^ +[0-9]+ +dense 64 -> 16 +1,040$' out
check net_shows_damping grep -qE '^  damping +[0-9.e+-]+ +added to the Fisher' out
check net_shows_rate grep -qE '^  rate +[0-9.e+-]+' out
check net_shows_batch grep -qE '^  batch +50 +examples in a step$' out
succeed net_shows_json show m.safetensors --json
check net_shown_json_is_the_result [ "$(json iterations)" = "$iterations" ]
succeed net_predicts predict m.safetensors more.csv
check net_predicts_every_row [ "$(wc -l <out)" -eq 101 ]
check net_predicts_classes [ "$(head -n 1 out)" = \
    'p[0],p[1],p[2],p[3],p[4],p[5],p[6],p[7],p[8],p[9],class' ]
check net_probabilities_add_up [ "$(sed 1d out | awk -F, '{
    for (i = sum = 0; i < 10; i++) sum += $(i + 1)
    bad += sum < 0.999999 || sum > 1.000001 }
    END { print bad + 0 }')" -eq 0 ]
succeed net_predicts_npy predict m.safetensors more.csv --out p.npy
check net_npy_has_all_numbers [ "$(wc -c <p.npy)" -eq $((128 + 100 * 80)) ]
expect net_has_no_interval 2 \
    '--interval: m.safetensors is a network, of which only means and classes are predicted' \
    predict m.safetensors more.csv --interval 0.5
succeed net_kl kl m.safetensors again.safetensors more.csv --json
check net_kl_of_equals_is_0 [ "$(json kl_ab)" = 0.0 ]
train --epochs 1 --valid 0.2 --out k.safetensors
succeed net_kl_of_others kl m.safetensors k.safetensors more.csv
expect net_kl_without_data 2 \
    'the KL divergence of networks is a mean over DATA: natgrad kl MODEL MODEL DATA' \
    kl m.safetensors k.safetensors
run net digits.csv --target digit --family categorical --layers '8 relu' \
    --epochs 1 --quiet --out relu.safetensors
expect net_kl_of_other_layers 2 \
    'm.safetensors has layers "16 tanh" and relu.safetensors "8 relu": kl compares only networks with the same layers' \
    kl m.safetensors relu.safetensors more.csv
run glm more.csv --target p23 --family gaussian --features p24,p25 --quiet \
    --out glm.safetensors
expect net_kl_with_a_glm 2 \
    'm.safetensors is a network and glm.safetensors is not: there is no KL divergence between them' \
    kl m.safetensors glm.safetensors more.csv

head -c 300 m.safetensors >damaged
expect net_kl_says_what_is_damaged 3 "$("$NATGRAD" show damaged 2>&1 |
    sed 's/^natgrad: //')" kl m.safetensors damaged more.csv
expect net_kl_of_a_missing_model 3 \
    'absent: cannot be opened: No such file or directory' \
    kl m.safetensors absent more.csv
run net more.csv --target digit --family categorical --layers '16 tanh' \
    --max-iter 1 --quiet --out means.safetensors
expect net_kl_of_other_means 2 \
    'the networks were trained on other columns, means and deviations or classes, so that the same row is not the same example' \
    kl m.safetensors means.safetensors more.csv
printf 'a,b,y\n0,1,0\n2,3,1\n1,0,3\n3,2,1\n' >words.csv
printf 'a,b\n0,1\n2,9999999\n' >far.csv
for seed in 1 2; do
    run net words.csv --target y --layers 'embedding 4x2, 3 tanh' \
        --optimizer sgd --max-iter 1 --seed $seed --quiet --out words.$seed
    check net_embedding_$seed [ $status -eq 0 ]
done
expect net_kl_checks_indices 3 \
    'far.csv: row 2, column 2: 1e+07 is not an index of the embedding (0 to 3)' \
    kl words.1 words.2 far.csv
# The header, and 1210 numbers that are 2^127, the largest finite power of two.
length=$(od -An -tu8 -N8 m.safetensors | tr -d ' ')
{
    head -c "$((length + 8))" m.safetensors
    # shellcheck disable=SC2059 # the format is the data
    printf "$(awk 'BEGIN {
        for (i = 0; i < 1210; i++) printf "\\000\\000\\000\\177" }')"
} >huge
expect net_predictions_are_finite 1 \
    "more.csv: row 1: the model's predictions are not finite" \
    predict huge more.csv
train --layers '' --max-iter 1 --json
check net_empty_layers [ "$status $(json layers)" = '0 ""' ]

# ---- Arrays ----
arrays='--target labels.gz --test test-images --test-target test-labels'
# shellcheck disable=SC2086 # words on purpose
run net images.gz $arrays --layers 'conv 4 3x3 relu, pool 2, 8 relu' \
    --epochs 6 --augment shift:1 --quiet --json --out a.safetensors
check net_idx [ $status -eq 0 ]
check net_idx_family [ "$(json family)" = '"categorical"' ]
succeed net_idx_predicts predict a.safetensors test-images
check net_idx_predicts_rows [ "$(wc -l <out)" -eq 31 ]
# shellcheck disable=SC2086 # words on purpose
run net images.gz $arrays --layers '8 relu' --epochs 2 --quiet --json \
    --valid test-images --valid-target test-labels --trace t.jsonl
check net_idx_valid grep -q '"valid": {"loss"' t.jsonl
run net images.gz --target self --layers '8 tanh, 2, 8 tanh' --epochs 2 \
    --quiet --json --test test-images --plot ae.svg --out ae.safetensors
check net_autoencoder [ $status -eq 0 ]
check net_autoencoder_error grep -q '"squared_error": ' out
succeed net_autoencoder_npy predict ae.safetensors test-images --out r.npy
check net_reconstructions [ "$(wc -c <r.npy)" -eq $((128 + 30 * 64 * 8)) ]
expect net_kl_of_other_examples 3 \
    'more.csv is no NPY or IDX file, which the network was trained on' \
    kl ae.safetensors ae.safetensors more.csv
images 5 4 4 >tiny
expect net_kl_of_other_shape 3 \
    'tiny: its examples are 1 x 4 x 4, but the network was trained on 1 x 8 x 8' \
    kl ae.safetensors ae.safetensors tiny
check net_plot_data [ "$(awk -F'\t' '{print NF}' ae.tsv | sort -u)" = 16 ]
check net_plot_images [ "$(wc -l <ae.images.tsv)" -eq 16 ]
if have gnuplot; then
    check net_picture grep -q '<svg' ae.svg
else
    skip net_picture 'no gnuplot'
fi
# NPY as it was written above: reconstructions as inputs, and as targets.
succeed net_npy net r.npy --target r.npy --family gaussian --layers '4 tanh' \
    --epochs 2 --quiet

# ---- Races ----
run compare net digits.csv --target digit --family categorical \
    --layers '8 tanh' --optimizers kfac,adam --rates 0.003,0.03 \
    --tune-iter 10 --epochs 2 --batch 64 --test more.csv --out race.csv \
    --plot race.svg --quiet
check compare_net [ $status -eq 0 ]
check compare_net_tunes_first_order_only [ "$(grep -c 'rate 0.' out)" -eq 1 ]
check compare_net_table grep -qE '^kfac +own +[0-9]+ +2 ' out
check compare_net_csv_header grep -qE \
    '^optimizer,rate,iteration,epoch,seconds,examples,batch_loss,train_loss,' \
    race.csv
check compare_net_csv_rows [ "$(wc -l <race.csv)" -eq 5 ]
check compare_net_script grep -q "index 1 using 5:14" race.gp
if have gnuplot; then
    check compare_net_picture grep -q '<svg' race.svg
else
    skip compare_net_picture 'no gnuplot'
fi
run compare net digits.csv --target digit --family categorical \
    --layers '8 tanh' --optimizers kfac,sgd --rates 0.03 --tune-iter 5 \
    --max-iter 6 --batch 64 --evaluate-every 2 --json --quiet
check compare_net_json [ "$status" -eq 0 ]
for key in train_line optimizers; do
    check "compare_net_json_$key" grep -q "^  \"$key\":" out
done
check compare_net_json_runs [ "$(grep -c '"seconds_to_train"' out)" -eq 2 ]

run compare net digits.csv --target digit --family gaussian \
    --optimizers kfac,sgd --rates 1e30 --tune-iter 5 --max-iter 1 --quiet \
    --plot hopeless.svg
check compare_net_says_what_diverged [ "$status $(grep -v gnuplot err)" = \
    '1 natgrad: sgd diverged at every rate; lower ones can be given in --rates' ]
check compare_net_without_it grep -qE '^kfac +own +1 ' out
expect compare_net_twice_the_same 2 '--optimizers: kfac is there twice' \
    compare net digits.csv --target digit --optimizers kfac,kfac
expect compare_net_useless_option 2 \
    '--damping: none of --optimizers has a use for it' \
    compare net digits.csv --target digit --optimizers adam,sgd --damping 1
train --max-iter 1 --plot point.svg
if have gnuplot; then
    check net_picture_of_one_point [ "$status $(cat err)" = '0 ' ]
else
    skip net_picture_of_one_point 'no gnuplot'
fi

# ---- Outputs in each other's place ----
# same NAME FIRST SECOND ARGUMENT...
same() {
    same_name=$1 first=$2 second=$3
    shift 3
    expect "$same_name" 2 \
        "$first and $second are the same file: expected another name" "$@"
}
net='net digits.csv --target digit --family categorical'
ln -s digits.csv link.csv
before=$(cksum <digits.csv)
# shellcheck disable=SC2086 # words on purpose
{
    same out_is_data --out DATA $net --out ./digits.csv
    same out_is_data_by_a_link --out DATA $net --out link.csv
    same onnx_is_data --onnx DATA $net --onnx digits.csv
    same trace_is_test --trace --test $net --test more.csv --trace more.csv
    same out_is_valid --out --valid $net --valid more.csv --out more.csv
    same onnx_is_out --onnx --out $net --out new --onnx ./new
    same out_is_script 'the script of --plot' --out $net --plot p.svg --out p.gp
    same out_is_table 'the table of --plot' --out $net --plot p.svg --out p.tsv
    mkdir state
    same out_is_checkpoint --out 'the file in --checkpoint' $net \
        --checkpoint state --out state/checkpoint.safetensors
    expect standard_output_twice 2 \
        '--onnx and --out are both standard output: expected another name' \
        $net --out - --onnx -
}
same out_is_target --out --target net test-images --target test-labels \
    --out test-labels
same trace_is_test_target --trace --test-target net images.gz \
    --target labels.gz --test test-images --test-target test-labels \
    --trace test-labels
same predict_out_is_data --out DATA predict m.safetensors digits.csv \
    --out digits.csv
same predict_out_is_model --out MODEL predict m.safetensors digits.csv \
    --out m.safetensors
same glm_out_is_data --out DATA glm digits.csv --target p23 --family gaussian \
    --out digits.csv
same dist_out_is_data --out DATA dist digits.csv --column p23 --family normal \
    --out digits.csv
check data_are_untouched [ "$(cksum <digits.csv)" = "$before" ]

# ---- Bad options ----
expect_train unknown_optimizer 2 \
    '--optimizer: expected one of kfac, ekfac, layer-dense, natural, sample-space, diagonal, cg, sgd, momentum, rmsprop, adam, adamw, found "adadelta"' \
    --optimizer adadelta
expect_train unknown_fisher 2 \
    '--fisher: expected one of exact, sampled, empirical, found "observed"' \
    --fisher observed
for pair in damping:1 kl:1 fisher:exact sharing:reduce momentum:0.9; do
    expect_train "adam_with_${pair%:*}" 2 \
        "--${pair%:*} and --optimizer adam contradict each other" \
        --optimizer adam "--${pair%:*}" "${pair#*:}"
done
expect_train resume_without_checkpoint 2 '--resume goes with --checkpoint' \
    --resume
expect_train checkpoint_every_without_it 2 \
    '--checkpoint-every goes with --checkpoint' --checkpoint-every 5
expect_train patience_without_valid 2 '--patience goes with --valid' \
    --patience 3
expect_train bad_share 2 \
    '--valid: expected a share between 0 and 1 or a file, found "1.5"' \
    --valid 1.5
expect_train bad_shift 2 \
    '--augment: expected shift or shift:N, N from 1 to 1000, found "shift:x"' \
    --augment shift:x
expect_train test_target_without_test 2 \
    '--test-target test-labels: expected a file in --test that is NPY or IDX to go with it' \
    --test-target test-labels
expect test_without_its_target 2 \
    '--test test-images: expected the file of its targets in --test-target' \
    net images.gz --target labels.gz --test test-images
expect no_target 2 'expected --target' net digits.csv
bad_layers() {
    run net digits.csv --target digit --family categorical --quiet \
        --layers "$2"
    check "$1" [ $status -eq 2 ]
    check "$1_message" grep -qE "$3" err
    check "$1_one_line" [ "$(wc -l <err)" -eq 1 ]
}
bad_layers unknown_layer '16 tanh, wobble 3' \
    '^natgrad: .*item 2.*wobble'
bad_layers image_layer_on_a_vector '16 tanh, conv 4 3x3 relu' \
    '^natgrad: .*item 2.*conv'
bad_layers kernel_beyond_the_image 'conv 4 3x3 relu' \
    '^natgrad: .*item 1.*64'
bad_layers open_bracket '[16 tanh' '^natgrad: .*'

# ---- Bad data ----
bad_file() {
    run net "$2" --target "$3" --quiet --layers '4 tanh'
    check "$1" [ $status -eq 3 ]
    check "$1_message" grep -qE "$4" err
    check "$1_one_line" [ "$(wc -l <err)" -eq 1 ]
}
labels 79 >fewer
bad_file fewer_labels images.gz fewer \
    '^natgrad: fewer has 79 targets, but images.gz has 80 examples'
{
    printf '\001\002\003\004'
    gzip -dc images.gz | tail -c +5
} >magic
bad_file wrong_magic magic labels.gz '^natgrad: '
head -c 300 images.gz >cut.gz
bad_file truncated_gzip cut.gz labels.gz '^natgrad: cut.gz: truncated gzip data'
gzip -dc images.gz | head -c 1000 >short
bad_file truncated_images short labels.gz '^natgrad: short: '
printf 'a,b,y\n1,2,0\n3,nan,1\n4,5,1\n' >nan.csv
bad_file nan_in_data nan.csv y \
    '^natgrad: nan.csv: row 2, column "b": missing value'
bad_file absent_data absent.csv y '^natgrad: absent.csv: cannot be opened'
bad_file absent_column digits.csv digits \
    '^natgrad: digits.csv: .*"digits"'
# Labels that training has not seen, in the test data.
{
    bytes 0 0 8 1
    size 30
    # shellcheck disable=SC2046 # words on purpose
    bytes $(awk 'BEGIN { for (i = 0; i < 30; i++) print i == 7 ? 9 : i % 2 }')
} >ninth
run net images.gz --target labels.gz --layers '4 tanh' --quiet \
    --test test-images --test-target ninth
check label_out_of_range [ $status -eq 3 ]
check label_out_of_range_message grep -qE '^natgrad: ninth: row 8.*9' err
# A model of other columns and of other shapes.
cut -d, -f2-65 more.csv >narrow.csv
run predict m.safetensors narrow.csv
check predict_lacks_a_column [ $status -eq 3 ]
run predict a.safetensors tiny
check predict_other_shape [ $status -eq 3 ]
head -c 200 m.safetensors >broken
run show broken
check broken_model [ $status -eq 3 ]

# ---- More memory than there is ----
run net digits.csv --target digit --family categorical --quiet \
    --layers '20000 tanh' --optimizer natural
check memory_is_refused [ $status -eq 4 ]
check memory_is_named grep -qE \
    '^natgrad: training needs [0-9]+ MiB of memory, [0-9]+ MiB are available' err
# limited ARGUMENT...: a run with little address space
limited() {
    (
        ulimit -v 600000 2>/dev/null || exit 9
        run net digits.csv --target digit --family categorical --quiet "$@"
        exit $status
    )
}
# With sanitizers even the smallest needs more.
if limited --layers '4 tanh' --max-iter 1; then
    limited --layers '2500 tanh, 2500 tanh'
    check memory_limit_is_held_to [ $? -eq 4 ]
    check memory_limit_is_named grep -qE \
        '^natgrad: (training needs [0-9]+ MiB of memory|out of memory)' err
else
    skip memory_limit_is_held_to 'no run within ulimit -v'
fi

# ---- Outputs that cannot be written ----
no='cannot be written: No such file or directory'
full='cannot be written: No space left on device'
for option in out onnx trace; do
    expect_train "${option}_in_no_folder" 4 "nodir/x: $no" \
        --$option nodir/x --max-iter 2
done
expect_train plot_in_no_folder 4 "nodir/x.svg: $no" --plot nodir/x.svg \
    --max-iter 2
if [ -c /dev/full ]; then
    for option in out onnx; do
        train --$option /dev/full --max-iter 2
        check "${option}_on_full_device" [ "$status $(cat err)" = \
            "4 natgrad: /dev/full: $full" ]
    done
    expect_train trace_on_full_device 4 "/dev/full: $full" \
        --trace /dev/full --max-iter 2
    run compare net digits.csv --target digit --family categorical \
        --optimizers sgd --rates 0.1 --tune-iter 2 --max-iter 2 --quiet \
        --out /dev/full
    check race_on_full_device [ "$status $(cat err)" = \
        "4 natgrad: /dev/full: $full" ]
else
    skip full_device 'no /dev/full'
fi
check nothing_left_behind [ -z "$(find . -name '.natgrad-*')" ]
finish

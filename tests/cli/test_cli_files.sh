#!/bin/sh
# What is written and read back: outputs that cannot be written, models that
# are damaged, data that do not match a model.
. "$SOURCE/tests/cli/lib.sh"

printf 'x,y,m,g\n1,2,3,p\n2,3,4,q\n3,4,4,p\n4,6,7,q\n5,1,8,p\n' >good.csv
fit="glm good.csv --target y --family gaussian --features x,g"
run $fit --out m.safetensors
check model_saved [ $status -eq 0 ]

# ---- Unwritable output ----
no='cannot be written: No such file or directory'
full='cannot be written: No space left on device'
expect model_in_no_folder 4 "nodir/m: $no" $fit --out nodir/m
expect dist_in_no_folder 4 "nodir/m: $no" dist good.csv --column y \
    --family normal --out nodir/m
expect trace_in_no_folder 4 "nodir/t: $no" $fit --trace nodir/t
expect_after_output model_on_a_folder 4 '.: cannot be written: Is a directory' \
    $fit --out .
expect predictions_in_no_folder 4 "nodir/p: $no" predict m.safetensors \
    good.csv --out nodir/p
expect_after_output table_in_no_folder 4 "nodir/t.tsv: $no" compare glm \
    good.csv --target y --family gaussian --features x --optimizers natural \
    --rates 1 --out nodir/t.tsv
if [ -c /dev/full ]; then
    expect_after_output model_on_full_device 4 "/dev/full: $full" $fit \
        --out /dev/full
    expect trace_on_full_device 4 "/dev/full: $full" $fit --trace /dev/full
    expect predictions_on_full_device 4 "/dev/full: $full" predict \
        m.safetensors good.csv --out /dev/full
    for arguments in "$fit" "$fit --json" "show m.safetensors" --help \
        "compare glm good.csv --target y --family gaussian --features x --optimizers natural --rates 1 --json"; do
        # shellcheck disable=SC2086 # words on purpose
        "$NATGRAD" $arguments >/dev/full 2>err
        status=$?
        check "output_on_full_device_$(echo "$arguments" | tr -c 'a-z\n' _ |
            cut -c 1-60)" \
            [ "$status $(cat err)" = \
            '4 natgrad: standard output could not be written' ]
    done
    "$NATGRAD" predict m.safetensors good.csv >/dev/full 2>err
    status=$?
    check predictions_to_full_output [ "$status $(cat err)" = \
        "4 natgrad: standard output: $full" ]
else
    skip full_device 'no /dev/full'
fi

# A disk that fills up: the old model stays and nothing is left behind.
mkdir disk
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=16k tmpfs disk 2>/dev/null
then
    trap 'cd /; umount "$folder/disk" 2>/dev/null; rm -rf "$folder"' EXIT
    cp m.safetensors disk/
    dd if=/dev/zero of=disk/filler bs=1k count=64 2>/dev/null
    for what in "--out disk/m.safetensors" "--trace disk/t.jsonl"; do
        # shellcheck disable=SC2086 # words on purpose
        expect_after_output "full_disk_${what%% *}" 4 \
            "${what#* }: $full" $fit $what
    done
    expect full_disk_predictions 4 "disk/p.csv: $full" predict \
        m.safetensors good.csv --out disk/p.csv
    check full_disk_keeps_the_old_model cmp -s m.safetensors \
        disk/m.safetensors
    check full_disk_is_left_clean [ "$(ls -A disk | tr '\n' ' ')" = \
        "filler m.safetensors " ]
    umount disk
else
    skip full_disk 'needs root and a mount'
fi
check nothing_left_behind [ -z "$(find . -name '.natgrad-*')" ]

# ---- Damaged models ----
expect model_missing 3 \
    'absent: cannot be opened: No such file or directory' show absent
: >empty
expect model_empty 3 \
    'empty: expected the length of a header, found 0 bytes' show empty
expect model_that_is_csv 3 \
    'good.csv: not a safetensors file: expected a header of at most 40 bytes, found 749616710389673080' \
    show good.csv
head -c 100 m.safetensors >short
run show short
check model_cut_in_header [ $status -eq 3 ]
check model_cut_in_header_message grep -qE \
    '^natgrad: short: (not a safetensors file: )?expected a header of at most 92 bytes, found [0-9]+$' err
head -c "$(($(wc -c <m.safetensors) - 8))" m.safetensors >short
expect model_cut_in_data 3 \
    'short: tensor "covariance": expected offsets within 88 bytes of data, found [24, 96]' \
    show short
{
    cat m.safetensors
    echo junk
} >long
expect model_with_junk 3 'long: expected 96 bytes of data, found 101' \
    show long
# forge NAME MESSAGE SED-SCRIPT: replacements of equal length
forge() {
    sed "$3" m.safetensors >forged
    expect "forged_$1" 3 "forged: not a natgrad model: $2" show forged
}
forge family 'its family or link is unknown' 's/gaussian/gaussiam/'
forge link 'its family or link is unknown' 's/identity/idemtity/'
forge entry 'its metadata has no entry "natgrad"' 's/natgrad/notgrad/'
forge learner 'expected a learner and a family' 's/learner/leerner/'
forge variables 'expected "formula" and "variables"' \
    's/\\"variables\\"/\\"varibales\\"/'
forge formula 'its formula and its variables do not fit' \
    's/\\"formula\\": \\"~ x + g\\"/\\"formula\\": \\"~ x + h\\"/'
forge target 'expected "target" to be text' 's/\\"target\\"/\\"turget\\"/'
forge intercept 'its coefficients do not fit its formula' \
    's/\\"formula\\": \\"~ x + g\\"/\\"formula\\": \\"~ x+g-1\\"/'
run predict forged good.csv
check forged_predict_too [ $status -eq 3 ]

# ---- Data that do not match ----
mismatch() {
    printf "$3" >new.csv
    expect "data_$1" 3 "new.csv: $2" predict m.safetensors new.csv
}
mismatch without_column \
    'header: expected a column "g", found none of that name' 'x\n1\n'
mismatch of_unseen_level \
    'row 2, column "g": level "z" was not seen when the model was fitted' \
    'x,g\n1,p\n2,z\n'
mismatch of_number_for_level \
    'row 1, column "g": level "3" was not seen when the model was fitted' \
    'x,g\n1,3\n2,4\n'
mismatch of_text_for_number \
    'row 2, column "x": expected a number, found "b"' 'x,g\n1,p\nb,q\n'
mismatch of_missing_value \
    'row 2, column "x": missing value: expected a value, found ""' \
    'x,g\n1,p\n,q\n'
run predict m.safetensors new.csv --missing drop
check data_of_missing_value_dropped [ "$(wc -l <out)" -eq 2 ]
printf 'x,g,y\n1,p,2\n2,q,oops\n' >new.csv
expect test_data_of_wrong_kind 3 \
    'new.csv: row 2, column "y": expected a number, found "oops"' \
    $fit --test new.csv

# ---- Models of different kinds ----
run glm good.csv --target g --family binomial --features x --out b.safetensors
expect kl_of_different_families 2 \
    'no KL between a model of family "gaussian" with 0 levels and one of family "binomial" with 2: expected the same family and levels' \
    kl m.safetensors b.safetensors good.csv
expect kl_without_data 2 'the models have inputs: expected data' \
    kl m.safetensors m.safetensors

# ---- Links and permissions ----
ln -s m.safetensors link
run $fit --out link
check model_through_a_link [ -h link ]
check model_through_a_link_is_there "$NATGRAD" show m.safetensors >/dev/null
finish

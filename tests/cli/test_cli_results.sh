#!/bin/sh
# What the command prints and writes: JSON, CSV, traces, tables, pictures, and
# that the same command gives the same bits.
. "$SOURCE/tests/cli/lib.sh"

cat >data.csv <<'DATA'
x,z,group,y,count,wins,games,class,w,off
0.3,1.5,a,1.9,2,1,3,"red, dark",1,0.1
0.9,-0.4,b,2.7,1,2,4,green,2,0
1.4,0.8,a,2.4,4,2,2,"say ""blue""",1,-0.2
2.2,0.1,c,4.1,3,3,5,green,3,0.1
2.6,-1.2,b,3.3,2,2,6,"red, dark",1,0.2
3.1,0.6,c,5.8,6,1,3,"say ""blue""",2,0
3.7,1.1,a,4.6,5,5,7,green,1,-0.1
4.4,-0.7,b,5.2,3,4,5,"red, dark",2,0.3
4.9,0.2,c,7.7,8,6,8,"say ""blue""",1,0
5.5,-0.1,a,5.9,7,3,4,"red, dark",1,0.2
6.2,0.9,b,7.1,9,5,6,green,2,-0.3
6.8,-1.3,c,9.3,6,7,9,"say ""blue""",1,0.1
DATA

# keys FILE KEY...: all of them are in the JSON object.
keys() {
    file=$1
    shift
    for key; do
        grep -q "\"$key\":" "$file" || {
            echo "    no key \"$key\""
            return 1
        }
    done
}

# ---- JSON ----
json_cases() {
    echo 'glm data.csv --target y --family gaussian --features x,z,group'
    echo 'glm data.csv --target class --family multinomial --features x --l2 0.1'
    echo 'glm data.csv --target wins --trials games --family binomial --features x --std-errors robust'
    echo 'glm data.csv --target y --family gamma --link log --features x --weights w --test data.csv'
    echo 'dist data.csv --column y --family gamma --weights w'
    echo 'dist data.csv --columns x,y --family mvnormal --std-errors observed'
    echo 'dist data.csv --column class --family categorical'
    echo 'compare glm data.csv --target count --family poisson --features x --optimizers natural,adam --rates 0.1,1 --test data.csv'
    echo 'compare dist data.csv --column y --family gamma --optimizers natural,gradient --rates 0.1,1'
}
json_cases >cases
while read -r arguments; do
    name=json_of_$(echo "$arguments" | tr -c 'a-z0-9\n' _ | cut -c 1-50)
    # shellcheck disable=SC2086 # words on purpose
    run $arguments --json
    if [ $status -ne 0 ] || [ -s err ]; then
        not_ok "$name" "status $status: $(cat err)"
    elif ! have python3; then
        skip "$name" 'no python3'
    elif python3 -m json.tool out >/dev/null 2>err; then
        ok "$name"
    else
        not_ok "$name" "$(cat err)"
    fi
done <cases
run glm data.csv --target y --family gaussian --features x,group --json
check json_keys_of_glm keys out learner family link n df_residual \
    coefficients term estimate std_error statistic p_value dispersion \
    log_likelihood deviance null_deviance aic bic iterations converged \
    gradient_norm kl_total warnings
check json_terms [ "$(grep -o '"term": "[^"]*"' out | tr '\n' ' ')" = \
    '"term": "(Intercept)" "term": "x" "term": "group[b]" "term": "group[c]" ' ]
run dist data.csv --column y --family gamma --json
check json_keys_of_dist keys out learner family n parameters name estimate \
    std_error covariance log_likelihood aic bic iterations converged \
    gradient_norm kl_total
check json_names_of_dist [ "$(grep -o '"name": "[^"]*"' out | tr '\n' ' ')" = \
    '"name": "shape" "name": "rate" ' ]
run glm data.csv --target class --family multinomial --features x --l2 0.1 \
    --json
check json_levels grep -q '"level": "red, dark"' out
run glm data.csv --target y --family gaussian --features x --out m1 --json
"$NATGRAD" show m1 --json >shown
check json_round_trip cmp -s out shown
if have python3; then
    check json_has_17_digits python3 -c '
import json, re
text = open("out").read()
numbers = re.findall(r": (-?[0-9.]+(?:e[-+]?[0-9]+)?)[,\n]", text)
assert numbers
for number in numbers:
    if "." in number:
        assert float(number) == float("%.17g" % float(number))
assert any(len(n.replace(".", "").lstrip("-0")) >= 16 for n in numbers)'
else
    skip json_has_17_digits 'no python3'
fi

# ---- Inputs ----
fit='--target y --family gaussian --features x,z --json'
# The time of a run is the one thing that differs.
strip_time() {
    grep -v '"seconds"' "$1"
}
same_output() {
    strip_time a >a.stripped
    strip_time b >b.stripped
    cmp -s a.stripped b.stripped
}
# shellcheck disable=SC2086 # words on purpose
{
    "$NATGRAD" glm data.csv $fit >a
    "$NATGRAD" glm - $fit <data.csv >b
    check standard_input same_output
    gzip -c data.csv >data.csv.gz
    "$NATGRAD" glm data.csv.gz $fit >b
    check gzip_input same_output
    "$NATGRAD" glm - $fit <data.csv.gz >b
    check gzip_standard_input same_output
    sed 's/$/\r/' data.csv >crlf.csv
    "$NATGRAD" glm crlf.csv $fit >b
    check crlf_input same_output
}

# ---- Trace ----
run glm data.csv --target y --family gamma --link log --features x \
    --trace trace.jsonl --json
check trace_file_named grep -q '"trace_file": "trace.jsonl"' out
if have python3; then
    check trace_is_json_lines python3 -c '
import json
lines = [json.loads(line) for line in open("trace.jsonl")]
keys = {"iteration", "loss", "objective", "gradient_norm", "decrement",
        "damping", "step", "kl_predicted", "kl", "kl_total", "seconds",
        "examples", "rejected", "stop"}
assert all(keys <= set(line) for line in lines)
assert [line["iteration"] for line in lines] == list(range(len(lines)))
assert all(line["stop"] == "running" for line in lines[:-1])
assert lines[-1]["stop"] == "converged"
loss = [line["loss"] for line in lines]
assert all(b <= a + 1e-12 for a, b in zip(loss, loss[1:]))
moved = sum(line["kl"] for line in lines)
assert abs(moved - lines[-1]["kl_total"]) <= 1e-12 * moved'
else
    skip trace_is_json_lines 'no python3'
fi

# ---- Predictions ----
run predict m1 data.csv
check predictions_header [ "$(head -n 1 out)" = 'mean,lower,upper' ]
check predictions_rows [ "$(wc -l <out)" -eq 13 ]
check predictions_in_order awk -F, 'NR > 1 && !($2 < $1 && $1 < $3) {exit 1}' out
cp out ninety
run predict m1 data.csv --interval 0.5 --out half
check predictions_to_file [ "$status $(wc -c <out)" = '0 0' ]
paste -d, half ninety >both
check predictions_narrower awk -F, 'NR > 1 && !($3 - $2 < $6 - $5) {exit 1}' both
run glm data.csv --target class --family multinomial --features x,z --l2 0.1 \
    --out m2
run predict m2 data.csv
check class_header [ "$(head -n 1 out)" = \
    'p[green],"p[red, dark]","p[say ""blue""]",class' ]
check class_quoted grep -q ',"say ""blue"""$' out
if have python3; then
    check class_rows python3 -c '
import csv
rows = list(csv.reader(open("out")))
names = ["green", "red, dark", "say \"blue\""]
assert rows[0] == ["p[%s]" % n for n in names] + ["class"]
assert len(rows) == 13
for row in rows[1:]:
    p = [float(v) for v in row[:3]]
    assert abs(sum(p) - 1) < 1e-15 * 8
    assert row[3] == names[p.index(max(p))]'
else
    skip class_rows 'no python3'
fi
run dist data.csv --columns x,y --family mvnormal --out m3
run predict m3 data.csv
check vector_header [ "$(head -n 1 out)" = \
    'mean[x],lower[x],upper[x],mean[y],lower[y],upper[y]' ]
run dist data.csv --column class --family categorical --out m4
run predict m4 data.csv
check distribution_of_classes [ "$(head -n 1 out)" = \
    'p[green],"p[red, dark]","p[say ""blue""]",class' ]

# ---- KL ----
run glm data.csv --target y --family gaussian --features x,z --out m5
run kl m1 m5 data.csv --json
check kl_keys keys out kl_ab kl_ba
check kl_is_positive awk '/kl_/ && !($2 + 0 > 0) {exit 1}' out
run kl m5 m5 data.csv --json
check kl_of_itself_is_zero [ "$(grep -c ': 0.0' out)" -eq 2 ]
run kl m4 m4
check kl_without_data [ $status -eq 0 ]
run kl m1 m5 data.csv
check kl_text grep -qE '^KL\(m1 \|\| m5\) = [0-9.e-]+ nats per example$' out

# ---- The same bits ----
awk 'BEGIN { srand(7); print "a,b,y"
    for (i = 0; i < 30000; i++)
        printf "%.6f,%.6f,%d\n", rand(), rand(), int(3 * rand()) }' >big.csv
big='glm big.csv --target y --family multinomial --json --max-iter 30'
for how in '--seed 5 --fisher sampled --tol 1e-6' '--optimizer newton'; do
    # shellcheck disable=SC2086 # words on purpose
    {
        "$NATGRAD" $big $how --threads 2 >a 2>/dev/null
        "$NATGRAD" $big $how --threads 2 >b 2>/dev/null
        name=$(echo "$how" | tr -c 'a-z0-9\n' _)
        check "same_bits$name" same_output
        "$NATGRAD" $big $how --threads 1 >b 2>/dev/null
    }
    if have python3; then
        check "threads_agree$name" python3 -c '
import json
a, b = (json.load(open(f)) for f in "ab")
for p, q in zip(a["coefficients"], b["coefficients"]):
    assert abs(p["estimate"] - q["estimate"]) <= 1e-9 * q["std_error"]
    assert abs(p["std_error"] - q["std_error"]) <= 1e-9 * q["std_error"]
assert abs(a["deviance"] - b["deviance"]) <= 1e-12 * b["deviance"]'
    else
        skip "threads_agree$name" 'no python3'
    fi
done

# ---- A run that does not arrive ----
expect_after_output not_converged 1 \
    'the run did not converge: iteration limit reached' \
    glm data.csv --target count --family poisson --features x --max-iter 1 \
    --out early
succeed not_converged_model_is_saved show early
check not_converged_is_remembered grep -q 'iteration limit reached' out

# ---- Comparisons ----
run compare glm data.csv --target count --family poisson --features x \
    --optimizers natural,newton,gradient --rates 0.1,1 --tune-iter 20 \
    --out race.tsv --plot race.svg
check race_runs [ $status -eq 0 ]
check race_columns [ "$(head -n 1 race.tsv | cut -f 1-6 | tr '\t' ' ')" = \
    'optimizer rate iteration seconds loss objective' ]
for optimizer in natural newton gradient; do
    check "race_has_$optimizer" grep -q "^$optimizer	" race.tsv
done
if have gnuplot; then
    check race_picture grep -q '<svg' race.svg
else
    check race_without_gnuplot grep -q 'gnuplot was not found' err
fi
run compare dist data.csv --column y --family normal \
    --parametrizations sd,log-sd --out paths.tsv --plot paths.svg
check paths_run [ $status -eq 0 ]
check paths_table [ -s paths.tsv ]
if have gnuplot; then
    check paths_picture grep -q '<svg' paths.svg
else
    skip paths_picture 'no gnuplot'
fi
finish

#!/bin/sh
# natgrad glm: formulas, streams, what it prints of thresholds, aliased terms
# and separation, residuals and the diagnostic picture; predict --std-errors;
# compare glm --nested.
. "$SOURCE/tests/cli/lib.sh"

cat >data.csv <<'DATA'
x,z,group,y,count,wins,games,grade,site,gap
0.3,1.5,a,1.9,2,1,3,low,p,
0.9,-0.4,b,2.7,1,2,4,low,p,1
1.4,0.8,a,2.4,4,2,2,mid,q,2
2.2,0.1,c,4.1,3,3,5,low,q,3
2.6,-1.2,b,3.3,2,2,6,mid,r,
3.1,0.6,c,5.8,6,1,3,high,r,5
3.7,1.1,a,4.6,5,5,7,mid,p,6
4.4,-0.7,b,5.2,3,4,5,high,q,7
4.9,0.2,c,7.7,8,6,8,low,r,8
5.5,-0.1,a,5.9,7,3,4,mid,p,9
6.2,0.9,b,7.1,9,5,6,high,q,10
6.8,-1.3,c,9.3,6,7,9,mid,r,11
DATA

# Numbers of the table, but not its formula and its times.
numbers() {
    "$NATGRAD" glm "$@" --json |
        grep -v -e '"formula"' -e '"seconds"' -e '"kl_total"' \
            -e '"gradient_norm"' -e '"decrement"' -e '"iterations"'
}
same() {
    cmp -s one other
}

# ---- Formulas ----
numbers data.csv --target y --features x,group --family gaussian >one
numbers data.csv --formula 'y ~ x + group' --family gaussian >other
check formula_is_its_features same
numbers data.csv --formula 'y ~ group * x - group:x - group + group + x' \
    --family gaussian >other
check formula_algebra [ "$(grep -c term other)" -ge 4 ]
run glm data.csv --formula 'log(y) ~ poly(x, 2, raw = TRUE) + I(z^2) + C(games)' \
    --family gaussian --json
check formula_canonical grep -q '"formula": "log(y) ~ ' out
run glm data.csv --formula 'y ~ x + group' --family gaussian \
    --reference group=c --json
check reference_level [ "$(grep -o '"term": "group[^"]*"' out | tr '\n' ' ')" = \
    '"term": "group[a]" "term": "group[b]" ' ]
run glm data.csv --formula 'count ~ x + offset(log(games))' --family poisson
check formula_offset [ $status -eq 0 ]
# A column that the formula does not name may have gaps; one that it names not.
succeed formula_reads_its_columns_only glm data.csv --formula 'y ~ x' \
    --family gaussian
expect formula_with_gaps 3 \
    'data.csv: row 1, column "gap": missing value: expected a value, found ""' \
    glm data.csv --formula 'y ~ gap' --family gaussian
run glm data.csv --formula 'y ~ .' --family gaussian --exclude gap,grade --json
check formula_dot grep -q '"term": "games"' out
expect formula_missing_column 3 'data.csv: no column "q"' \
    glm data.csv --formula 'y ~ x + q' --family gaussian
run glm data.csv --formula 'y ~ x +' --family gaussian
check formula_incomplete [ $status -eq 2 ]
check formula_says_where grep -q 'character 8' err
expect formula_and_target 2 '--formula and --target contradict each other' \
    glm data.csv --formula 'y ~ x' --target y --family gaussian
expect formula_and_features 2 \
    '--formula and --features contradict each other' \
    glm data.csv --formula 'y ~ x' --features x --family gaussian
expect formula_and_intercept 2 \
    '--formula and --no-intercept contradict each other: expected "- 1" in the formula' \
    glm data.csv --formula 'y ~ x' --no-intercept --family gaussian
expect neither_formula_nor_target 2 'expected --target or --formula' \
    glm data.csv --family gaussian
expect reference_without_level 2 \
    '--reference: expected COLUMN=LEVEL, found "group"' \
    glm data.csv --formula 'y ~ group' --family gaussian --reference group

expect reference_outside 2 '--reference group=b: the model has no column "group"' \
    glm data.csv --formula 'y ~ x' --family gaussian --reference group=b
"$NATGRAD" glm - --formula 'y ~ x' --family gaussian --categorical q \
    <data.csv >out 2>err
check standard_input_by_name grep -q \
    '^natgrad: standard input: --categorical: column "q"' err

# ---- Options that go together ----
expect exclude_and_cluster 2 '--exclude and --cluster contradict each other' \
    glm data.csv --target y --family gaussian --exclude site --cluster site
expect plot_of_classes 2 '--plot: a multinomial model has no residuals' \
    glm data.csv --formula 'grade ~ x' --family multinomial --plot p.svg
expect plot_nowhere 4 \
    'no/p.svg: cannot be written: No such file or directory' \
    glm data.csv --formula 'y ~ x' --family gaussian --plot no/p.svg
expect power_without_tweedie 2 '--power goes with --family tweedie' \
    glm data.csv --formula 'y ~ x' --family gamma --power 1.5
expect tweedie_without_power 2 '--family tweedie: expected --power' \
    glm data.csv --formula 'y ~ x' --family tweedie
expect cluster_and_expected 2 \
    '--cluster and --std-errors expected contradict each other' \
    glm data.csv --formula 'y ~ x' --family gaussian --cluster site \
    --std-errors expected
expect order_of_unknown_level 3 'data.csv: column "grade" has no level "lower"' \
    glm data.csv --formula 'grade ~ x' --family ordinal --levels lower,mid,high
expect order_of_some_levels 3 \
    'data.csv: column "grade": expected an order of all its 3 levels, each once' \
    glm data.csv --formula 'grade ~ x' --family ordinal --levels low,high
run glm data.csv --formula 'grade ~ x' --family ordinal
check order_by_bytes_is_said grep -q '"high" first and "mid" last' err
run glm data.csv --formula 'y ~ x + gap' --family gaussian --missing drop \
    --residuals rows.csv
check residuals_have_row_numbers [ "$(cut -d, -f1 rows.csv | tr '\n' ' ')" = \
    'row 2 3 4 6 7 8 9 10 11 12 ' ]
expect stream_and_plot 2 '--stream and --plot contradict each other' \
    glm data.csv --formula 'y ~ x' --family gaussian --stream --plot p.svg
expect stream_and_cluster 2 '--stream and --cluster contradict each other' \
    glm data.csv --formula 'y ~ x' --family gaussian --stream --cluster site
expect firth_and_l2 2 '--firth and --l2 contradict each other' \
    glm data.csv --formula 'wins ~ x' --trials games --family binomial \
    --firth --l2 1
run glm data.csv --formula 'y ~ x' --family gaussian --cluster site --json
check cluster_is_robust grep -q '"std_errors": "robust"' out
run glm data.csv --formula 'y ~ x' --family gaussian --level 0.5
check level_in_the_head grep -q '25 % *75 %' out

# ---- What is printed ----
run glm data.csv --formula 'grade ~ x' --family ordinal
check thresholds_printed grep -q '^high|low ' out
run glm data.csv --formula 'grade ~ x' --family ordinal --json
check thresholds_in_json grep -q '"level": "high|low"' out
run glm data.csv --formula 'count ~ x + I(2*x) + z' --family poisson
check aliased_dash grep -q '^I(2 \* x)  *-  *-' out
check aliased_note grep -q 'aliased.*I(2 \* x)' out
run glm data.csv --formula 'count ~ x + I(2*x) + z' --family poisson --json
check aliased_json [ "$(tr -d ' \n' <out | grep -o '"aliased":\["[^]]*\]')" = \
    '"aliased":["I(2*x)"]' ]
printf 'y,a,b\n0,1,3\n0,2,1\n0,3,4\n1,4,1\n1,5,5\n1,6,2\n' >apart.csv
run glm apart.csv --formula 'y ~ a + b' --family binomial --max-iter 20
check separation_said grep -q '^complete separation: .* a' out
run glm apart.csv --formula 'y ~ a + b' --family binomial --json
check separation_json grep -q '"kind": "complete"' out
check separation_sign grep -q '"infinite": -\{0,1\}1' out
succeed firth_is_finite glm apart.csv --formula 'y ~ a + b' \
    --family binomial --firth --out firth
check firth_names_the_terms grep -q \
    '^complete separation: .* a.*; the estimates shown are finite by --firth' out
run show firth --json
tr -d ' \n' <out >one
check firth_json_terms grep -q '"terms":\[[^]]*"a"' one
check firth_json_sign grep -q '"term":"a","estimate"[^}]*"infinite":1}' one
printf 'y,a\nl,1\nl,2\nl,3\nm,4\nm,5\nh,6\nh,7\n' >ordered.csv
run glm ordered.csv --formula 'y ~ a' --family ordinal --levels l,m,h
check thresholds_by_level grep -q \
    'separation: .*(threshold) l|m, (threshold) m|h; --l2 gives' out
run glm data.csv --formula 'y ~ x' --family gamma --link log --l2 0.1
check effective_df_printed grep -q '^effective degrees of freedom' out
run glm data.csv --formula 'y ~ x' --family tweedie --power 1.5
check power_printed grep -q 'family tweedie of power 1.5' out
run glm data.csv --formula 'count ~ x' --family negative-binomial --json
check theta_in_json grep -q '"theta"' out

# ---- Streams ----
fit='--formula count~x+group --family poisson'
# shellcheck disable=SC2086 # words on purpose
{
    succeed stream glm data.csv $fit --stream --json
    grep '"estimate"' out | sed 's/\(\.[0-9]\{9\}\)[0-9]*/\1/' >one
    "$NATGRAD" glm - $fit --stream --json <data.csv |
        grep '"estimate"' | sed 's/\(\.[0-9]\{9\}\)[0-9]*/\1/' >other
    check stream_of_standard_input same
    "$NATGRAD" glm data.csv $fit --json |
        grep '"estimate"' | sed 's/\(\.[0-9]\{9\}\)[0-9]*/\1/' >other
    check stream_is_the_frame same
}
expect stream_by_adam 2 "$(
    "$NATGRAD" glm data.csv --formula 'y ~ x' --family gaussian --stream \
        --optimizer adam 2>&1 >/dev/null | sed 's/^natgrad: //'
)" glm data.csv --formula 'y ~ x' --family gaussian --stream --optimizer adam

# ---- Arrays ----
if have python3; then
    python3 - <<'PYTHON'
import struct
rows = [line.split(",")[:4:3] for line in open("data.csv")][1:]
header = ("{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 2), }"
          % len(rows))
header += " " * (117 - len(header)) + "\n"
with open("data.npy", "wb") as out:
    out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)))
    out.write(header.encode())
    for row in rows:
        out.write(struct.pack("<2d", *map(float, row)))
PYTHON
    succeed npy glm data.npy --target V2 --family gaussian --out npy.model
    run glm data.npy --formula 'V2 ~ V1' --family gaussian --json
    grep '"estimate"' out >one
    "$NATGRAD" glm data.csv --formula 'y ~ x' --family gaussian --json |
        grep '"estimate"' >other
    check npy_is_the_csv same
    succeed npy_predicted predict npy.model data.npy
    check npy_rows [ "$(wc -l <out)" -eq 13 ]
    "$NATGRAD" glm - --target V2 --family gaussian <data.npy >out 2>err
    check npy_of_standard_input grep -q 'found an NPY array.*--stream' err
else
    skip npy 'no python3'
fi

# ---- Predictions ----
run glm data.csv --formula 'count ~ x + group' --family poisson --out small
run predict small data.csv --std-errors
check std_errors_header [ "$(head -n 1 out)" = \
    'mean,std_error,mean_lower,mean_upper,lower,upper,link,link_std_error' ]
check std_errors_order awk -F, \
    'NR > 1 && !($3 < $1 && $1 < $4 && $2 > 0) {exit 1}' out
cp out wide
run predict small data.csv --std-errors --level 0.5
paste -d, wide out >both
check level_narrows awk -F, 'NR > 1 && !($12 - $11 < $4 - $3) {exit 1}' both
run glm data.csv --formula 'grade ~ x' --family ordinal --out ordered
run predict ordered data.csv --std-errors
check class_errors_header [ "$(head -n 1 out)" = \
    'p[high],std_error[high],p[low],std_error[low],p[mid],std_error[mid],class' ]
run glm data.csv --formula 'y ~ x' --family gaussian --std-errors none \
    --out bare
expect std_errors_of_none 2 \
    'the model has no covariance to make standard errors of: it was fitted with --std-errors none' \
    predict bare data.csv --std-errors

# ---- Analysis of deviance ----
run glm data.csv --formula 'count ~ x' --family poisson --out smaller
run compare glm --nested small smaller
check nested_table grep -q 'chi-square' out
cp out one
run compare glm --nested smaller small
cp out other
check nested_either_order same
run compare glm --nested small smaller --json
check nested_json grep -q '"test": "Chisq"' out
run glm data.csv --formula 'count ~ z' --family poisson --out aside
expect nested_not 2 \
    'the models are not nested: the smaller one has the term "z", which the larger one has not' \
    compare glm --nested aside small
run glm data.csv --formula 'count ~ x' --family poisson --weights games \
    --out weighted
expect nested_weights 2 \
    'the models are not nested: expected the same weights, found none and "games"' \
    compare glm --nested smaller weighted
run glm data.csv --formula 'y ~ x' --family gaussian --std-errors HC3 --out robust
check kind_of_errors grep -q '^HC3 standard errors$' out
run glm data.csv --formula 'y ~ 1' --family gaussian --out constant
run compare glm --nested constant robust
check nested_of_robust grep -q 'robust standard errors do not enter it$' err
expect nested_of_one 2 '--nested: expected two models' \
    compare glm --nested small
expect nested_with_more 2 \
    '--nested compares saved models: expected no other option but --json' \
    compare glm --nested small smaller --family poisson
expect race_of_two 2 \
    'unexpected argument "more"; expected: natgrad compare glm DATA --target Y --family NAME' \
    compare glm data.csv more --target y --family gaussian

# ---- Residuals and the picture ----
succeed residuals glm data.csv --formula 'count ~ x + group' \
    --family poisson --residuals rows.csv
check residuals_header [ "$(head -n 1 rows.csv)" = \
    'row,fitted,link,response,pearson,deviance,quantile,std_pearson,std_deviance,leverage,cook' ]
check residuals_rows [ "$(wc -l <rows.csv)" -eq 13 ]
# Leverages add up to the coefficients.
check leverages_add_up awk -F, \
    'NR > 1 {sum += $10} END {exit !(sum > 4 - 1e-9 && sum < 4 + 1e-9)}' rows.csv
expect residuals_over_the_data 2 \
    '--residuals and DATA are the same file: expected another name' \
    glm data.csv --formula 'y ~ x' --family gaussian --residuals data.csv
expect json_and_residuals 2 '--json and --residuals - contradict each other' \
    glm data.csv --formula 'y ~ x' --family gaussian --residuals - --json
expect no_residuals_of_classes 2 \
    '--residuals: a multinomial model has no residuals' \
    glm data.csv --formula 'grade ~ x' --family multinomial --residuals r.csv
if have gnuplot; then
    succeed picture glm data.csv --formula 'count ~ x + group' \
        --family poisson --plot picture.svg
    check picture_drawn grep -q '</svg>' picture.svg
    check picture_script grep -q 'multiplot' picture.gp
    check picture_data [ "$(grep -c '^# ' picture.tsv)" -eq 3 ]
    awk 'BEGIN {srand(1); print "x,y"; for (i = 0; i < 6000; i++)
        printf "%.6f,%.6f\n", x = rand(), x + rand()}' >many.csv
    succeed picture_of_many glm many.csv --formula 'y ~ x' \
        --family gaussian --plot many.png
    check picture_is_a_png [ "$(head -c 4 many.png | tail -c 3)" = PNG ]
    check picture_counts_rows [ "$(grep -c '^# ' many.tsv)" -eq 6 ]
    succeed picture_of_levels glm data.csv --formula 'grade ~ x' \
        --family ordinal --plot levels.svg
else
    skip picture 'no gnuplot'
fi

# ---- Little address space ----
# Without enough of it OpenBLAS would wait for ever.
if (ulimit -v 150000) 2>/dev/null; then
    for how in '' --stream; do
        # shellcheck disable=SC2086 # words on purpose
        (
            ulimit -v 150000
            run glm data.csv --formula 'y ~ x' --family gaussian $how
            exit $status
        )
        status=$?
        if grep -q 'limit of address space' err; then
            check "little_address_space$how" [ $status -eq 4 ]
        else
            skip "little_address_space$how" "$(head -n 1 err)"
        fi
    done
else
    skip little_address_space 'no ulimit -v'
fi
finish

#!/bin/sh
# Bad data: each case with its exact message and exit status.
. "$SOURCE/tests/cli/lib.sh"

glm() {
    case_name=$1 case_status=$2 case_message=$3
    shift 3
    expect "$case_name" "$case_status" "$case_message" glm "$@"
}

dist() {
    case_name=$1 case_status=$2 case_message=$3
    shift 3
    expect "$case_name" "$case_status" "$case_message" dist "$@"
}

# ---- Files ----
: >empty.csv
echo 'x,y' >header.csv
printf 'x,y\n1,2\n3\n' >ragged.csv
printf 'x,y\n1,"2\n3,4\n' >quote.csv
printf 'x,y\n1,2\n3,\0004\n' >nul.csv
printf 'x,x\n1,2\n' >twins.csv
printf 'x,\n1,2\n' >nameless.csv
printf 'x,y\n1,2\n' | gzip | head -c 20 >cut.csv.gz
for learner in "glm --target" "dist --column"; do
    kind=${learner%% *} option=${learner#* }
    file() {
        expect "${kind}_$1" 3 "$3" "$kind" "$2" "$option" y \
            --family "$([ "$kind" = glm ] && echo gaussian || echo normal)"
    }
    file missing_file absent.csv \
        'absent.csv: cannot be opened: No such file or directory'
    file a_folder . '.: cannot be read: Is a directory'
    file empty_file empty.csv \
        'empty.csv: expected column names, found an empty file'
    file header_only header.csv \
        'header.csv: expected rows of data, found a header only'
    file ragged_row ragged.csv 'ragged.csv: row 2: expected 2 fields, found 1'
    file quote_never_closed quote.csv \
        'quote.csv: row 1: expected a closing quote, found the end of the file'
    file nul_bytes nul.csv 'nul.csv: row 2: expected text, found a NUL byte'
    file two_columns_of_one_name twins.csv \
        'twins.csv: header: expected distinct names, found "x" for columns 1 and 2'
    file column_without_name nameless.csv \
        'nameless.csv: header: expected a name for column 2, found ""'
    file truncated_gzip cut.csv.gz 'cut.csv.gz: truncated gzip data'
done

# ---- Values ----
printf 'x,y\n1,2\n2,b\n3,4\n5,6\n' >text.csv
printf 'x,y\n1,2\n2,inf\n3,4\n' >infinite.csv
printf 'x,y\n1,2\n2,1e999\n3,4\n' >huge.csv
printf 'x,y\n1,2\nNA,3\n4,5\n2,9\n' >missing.csv
printf 'x,y\nNA,2\n,3\n' >allmissing.csv
message='text.csv: row 2, column "y": expected a number, found "b"'
glm glm_not_a_number 3 "$message" text.csv --target y --family gaussian
dist dist_not_a_number 3 "$message" text.csv --column y --family normal
message='infinite.csv: row 2, column "y": infinite value: expected a finite number, found "inf"'
glm glm_infinite_value 3 "$message" infinite.csv --target y --family gaussian
glm glm_infinite_feature 3 "$message" infinite.csv --target x --family gaussian
dist dist_infinite_value 3 "$message" infinite.csv --column y --family normal
glm glm_overflowing_value 3 \
    'huge.csv: row 2, column "y": infinite value: expected a finite number, found "1e999"' \
    huge.csv --target y --family gaussian
glm glm_missing_value 3 \
    'missing.csv: row 2, column "x": missing value: expected a value, found "NA"' \
    missing.csv --target y --family gaussian
glm glm_all_missing 3 \
    'allmissing.csv: expected a row without missing values, found none' \
    allmissing.csv --target y --family gaussian --missing drop
run glm missing.csv --target y --family gaussian --missing drop --json
check glm_drops_missing_values grep -q '"n": 3,' out
check glm_says_how_many_dropped grep -qx \
    'natgrad: 1 row with missing values dropped' err
run dist missing.csv --column y --family normal
check missing_values_elsewhere_do_not_matter [ $status -eq 0 ]

# ---- Levels ----
printf 'x,y\n1,a\n2,a\n3,a\n' >onelevel.csv
printf 'f,y\na,1\na,2\na,3\n' >onefeature.csv
printf 'x,y\n1,a\n2,b\n3,c\n' >threelevels.csv
message='onelevel.csv: target "y" has one level only ("a"); expected two or more'
for family in binomial multinomial; do
    glm "glm_${family}_of_one_level" 3 "$message" onelevel.csv --target y \
        --family $family
done
message='onelevel.csv: column "y" has one level only ("a"); expected two or more'
for family in bernoulli categorical; do
    dist "dist_${family}_of_one_level" 3 "$message" onelevel.csv --column y \
        --family $family
done
glm glm_feature_of_one_level 3 \
    'onefeature.csv: column "f" has one level only ("a"); expected two or more' \
    onefeature.csv --target y --family gaussian
glm glm_binomial_of_three_levels 3 \
    'threelevels.csv: target "y" has 3 levels; family "binomial" expects two' \
    threelevels.csv --target y --family binomial
dist dist_bernoulli_of_three_levels 3 \
    'threelevels.csv: column "y" has 3 levels; family "bernoulli" expects two' \
    threelevels.csv --column y --family bernoulli

# ---- Support ----
printf 'x,y,w\n1,1,1\n2,-3,2\n3,4,1\n' >outside.csv
outside() {
    message="outside.csv: row 2, column \"y\": family \"$2\" expects $3, found -3"
    if [ "$1" = glm ]; then
        glm "glm_outside_$2" 3 "$message" outside.csv --target y --family "$2"
    else
        dist "dist_outside_$2" 3 "$message" outside.csv --column y \
            --family "$2"
    fi
}
outside glm poisson 'a count 0, 1, 2, ...'
outside glm gamma 'a number > 0'
outside glm inverse-gaussian 'a number > 0'
outside glm binomial '0 or 1'
outside dist bernoulli '0 or 1'
outside dist poisson 'a count 0, 1, 2, ...'
outside dist negative-binomial 'a count 0, 1, 2, ...'
outside dist exponential 'a number of at least 0'
for family in gamma inverse-gaussian weibull lognormal; do
    outside dist $family 'a number above 0'
done
printf 'x,y,m,g\n1,2,3,p\n2,3,4,q\n3,4,4,p\n4,6,7,q\n5,1,8,p\n' >good.csv
dist dist_outside_beta 3 \
    'good.csv: row 1, column "y": family "beta" expects a number between 0 and 1, neither included, found 2' \
    good.csv --column y --family beta
dist dist_outside_vonmises 3 \
    'good.csv: row 3, column "y": family "vonmises" expects an angle in (-pi, pi], found 4' \
    good.csv --column y --family vonmises
dist dist_outside_dirichlet 3 \
    'good.csv: row 1, column "x": family "dirichlet" expects positive proportions that add up to 1, found 1' \
    good.csv --columns x,y --family dirichlet
glm glm_share_out_of_range 3 \
    'good.csv: row 2, column "x": family "binomial" expects a share from 0 to 1, found 2' \
    good.csv --target x --family binomial --weights m
printf 'x,y,m\n1,2,3\n2,5,4\n' >trials.csv
glm glm_more_successes_than_trials 3 \
    'trials.csv: row 2, column "y": expected a number of successes from 0 to the trials, found 5' \
    trials.csv --target y --trials m --family binomial
printf 'x,y,m\n1,2,3\n2,3,4.5\n' >halftrials.csv
glm glm_half_a_trial 3 \
    'halftrials.csv: row 2, column "m": expected a whole number of trials, found 4.5' \
    halftrials.csv --target y --trials m --family binomial
printf 'c\n1\n1\n1\n' >constant.csv
for family in normal gamma weibull student-t laplace; do
    dist "dist_${family}_of_equal_values" 3 \
        "constant.csv: column \"c\": all values are equal; family \"$family\" expects values that differ" \
        constant.csv --column c --family $family
done

# ---- Weights and sizes ----
printf 'x,y,w\n1,1,1\n2,3,-2\n3,4,1\n' >negative.csv
printf 'x,y,w\n1,1,0\n2,3,0\n3,4,0\n' >zero.csv
printf 'a,b,c,y\n1,2,4,3\n2,1,7,3\n' >wide.csv
message='negative.csv: row 2, column "w": expected a weight >= 0, found -2'
glm glm_negative_weights 3 "$message" negative.csv --target y \
    --family gaussian --weights w
dist dist_negative_weights 3 "$message" negative.csv --column y \
    --family normal --weights w
message='zero.csv: column "w": all weights are zero'
glm glm_all_weights_zero 3 "$message" zero.csv --target y --family gaussian \
    --weights w
dist dist_all_weights_zero 3 "$message" zero.csv --column y --family normal \
    --weights w
succeed glm_with_more_columns_than_rows glm wide.csv --target y \
    --family gaussian
check glm_names_what_is_left_out grep -q \
    'combinations of other columns, left out: b, c$' err
succeed glm_with_l2_may_be_wide glm wide.csv --target y --family gaussian \
    --l2 0.1

# ---- Columns ----
column() {
    message='good.csv: header: expected a column "z", found none of that name'
    name=$1
    shift
    expect "unknown_$name" 3 "$message" "$@"
}
column target glm good.csv --target z --family gaussian
column feature glm good.csv --target y --family gaussian --features z
column exclusion glm good.csv --target y --family gaussian --exclude z
column weights glm good.csv --target y --family gaussian --weights z
column offset glm good.csv --target y --family gaussian --offset z
column trials glm good.csv --target y --family binomial --trials z
column column dist good.csv --column z --family normal
column columns dist good.csv --columns x,z --family mvnormal
column dist_weights dist good.csv --column y --family normal --weights z
glm unknown_categorical 3 \
    'good.csv: --categorical: column "z" is not among those used' good.csv \
    --target y --family gaussian --categorical z
printf 'x,g\351\n1,2\n2,4\n3,4\n' >latin.csv
glm name_in_latin_1 3 'name "g?": expected UTF-8' latin.csv \
    --target x --family gaussian
finish

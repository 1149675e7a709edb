#!/bin/sh
# Bad options and commands: each with its exact message and exit status.
. "$SOURCE/tests/cli/lib.sh"

printf 'x,y,m,g\n1,2,3,p\n2,3,4,q\n3,4,4,p\n4,6,7,q\n5,1,8,p\n' >good.csv

# glm NAME MESSAGE OPTION...
glm() {
    name=$1 message=$2
    shift 2
    expect "$name" 2 "$message" glm good.csv --target y --family gaussian "$@"
}

# ---- Commands ----
run
check no_command_is_a_mistake [ $status -eq 2 ]
check no_command_prints_usage grep -q '^Usage: natgrad COMMAND' err
expect unknown_command 2 \
    'unknown command "fit"; expected one of dist, glm, net, compare, predict, show, kl' \
    fit good.csv
expect compare_what 2 'expected: natgrad compare glm|dist|net DATA' compare
expect compare_unknown 2 'expected: natgrad compare glm|dist|net DATA' \
    compare fit good.csv
expect no_data 2 'expected: natgrad glm DATA --formula FORMULA|--target Y --family NAME' glm
expect no_family 2 'expected --family' glm good.csv --target y
expect no_target 2 'expected --target or --formula' \
    glm good.csv --family gaussian
expect no_column 2 'expected --column or --columns' dist good.csv \
    --family normal
glm two_files 'unexpected argument "more.csv"; expected: natgrad glm DATA --formula FORMULA|--target Y --family NAME' \
    more.csv
expect predict_without_data 2 'expected: natgrad predict MODEL DATA' \
    predict m.safetensors
expect kl_of_one 2 'expected: natgrad kl MODEL MODEL [DATA]' \
    kl m.safetensors

# ---- Unknown names ----
glm unknown_option 'unknown option "--bogus"; see natgrad glm --help' --bogus
glm option_of_another_command \
    'unknown option "--column"; see natgrad glm --help' --column y
expect unknown_glm_family 2 \
    'unknown glm family "normal"; expected one of gaussian, binomial, poisson, gamma, inverse-gaussian, negative-binomial, multinomial, ordinal, beta, tweedie' \
    glm good.csv --target y --family normal
expect unknown_dist_family 2 \
    'unknown family "gaussian"; expected one of bernoulli, categorical, softmax, normal, mvnormal, poisson, exponential, gamma, inverse-gaussian, negative-binomial, beta, weibull, gumbel, logistic, lognormal, student-t, laplace, vonmises, dirichlet' \
    dist good.csv --column y --family gaussian
glm unknown_link \
    'unknown link "tanh"; expected one of identity, log, logit, probit, cloglog, cauchit, inverse, 1/mu^2, sqrt' \
    --link tanh
glm link_of_another_family \
    'family "gaussian" has no link "logit"; expected one of identity, log, inverse, sqrt' \
    --link logit
glm unknown_optimizer \
    '--optimizer: expected one of natural, newton, gradient, momentum, rmsprop, adam, found "sgd"' \
    --optimizer sgd
glm unknown_metric \
    'unknown metric "full"; expected one of identity, diagonal, dense, cg, sample-space' \
    --metric full
glm unknown_fisher \
    '--fisher: expected one of exact, sampled, empirical, observed, found "mine"' \
    --fisher mine
glm unknown_step \
    '--step: expected one of fixed, kl, line-search, lm, found "big"' --step big
glm unknown_integrator \
    '--integrator: expected one of euler, midpoint, geodesic, found "rk4"' \
    --integrator rk4
glm unknown_std_errors \
    '--std-errors: expected one of expected, observed, robust, HC1, HC2, HC3, none, found "HC4"' \
    --std-errors HC4
glm unknown_missing '--missing: expected "drop", found "keep"' --missing keep

# ---- Values ----
glm value_left_out '--tol: expected a value' --tol
glm value_empty '--link: expected a value' --link ''
glm not_a_number '--tol: expected a number >= 0, found "small"' --tol small
glm not_whole \
    '--max-iter: expected a whole number from 1 to 1e+12, found "1.5"' \
    --max-iter 1.5
glm negative_l2 '--l2: expected a number >= 0, found "-1"' --l2 -1
glm infinite_l2 '--l2: expected a number >= 0, found "inf"' --l2 inf
glm rate_of_zero '--rate: expected a number > 0, found "0"' --rate 0
glm no_threads '--threads: expected a whole number from 1 to 1024, found "0"' \
    --threads 0
glm empty_item \
    '--features: expected a comma-separated list, found an empty item' \
    --features x,,m
expect interval_too_wide 2 \
    '--interval: expected a number from 1e-12 to 1, found "1.5"' \
    predict m.safetensors good.csv --interval 1.5

# ---- Contradictions ----
contradict() {
    name=$1 pair=$2
    shift 2
    glm "$name" "$pair contradict each other" "$@"
}
contradict features_and_exclude '--features and --exclude' --features x \
    --exclude g
contradict exclude_the_target '--exclude and --target' --exclude g,y
contradict exclude_the_weights '--exclude and --weights' --exclude m \
    --weights m
contradict metric_and_adam '--metric and --optimizer adam' --metric dense \
    --optimizer adam
contradict fisher_and_newton '--fisher and --optimizer newton' \
    --fisher exact --optimizer newton
contradict damping_and_momentum '--damping and --optimizer momentum' \
    --damping 1 --optimizer momentum
contradict kl_and_fixed '--kl and --step fixed' --kl 1 --step fixed
contradict json_and_model_on_output '--json and --out -' --json --out -
contradict json_and_trace_on_output '--json and --trace -' --json --trace -
contradict model_and_trace_on_output '--out - and --trace -' --out - --trace -
expect column_and_columns 2 '--column and --columns contradict each other' \
    dist good.csv --column y --columns x,y --family mvnormal
glm samples_of_no_sampling '--fisher-samples goes with --fisher sampled' \
    --fisher-samples 3
glm kl_step_without_radius 'step "kl" needs a KL radius > 0 (--kl)' --step kl
glm lm_and_adam \
    'step "lm" goes with optimizer natural or newton and integrator euler' \
    --step lm --optimizer adam
glm midpoint_and_adam \
    'integrators other than euler go with optimizer natural or newton' \
    --integrator midpoint --optimizer adam
glm sample_space_of_observed \
    'metric "sample-space" needs a Fisher that is a sum of squares: exact, sampled or empirical' \
    --metric sample-space --fisher observed
glm target_as_feature \
    'column "y" is named as a feature and as something else' --features x,y
glm target_as_weights \
    'column "y" is named twice among target, weights, offset, trials and cluster' \
    --weights y
glm number_as_factor 'column "y" cannot be both numeric and a factor' \
    --categorical y
glm nothing_to_estimate 'expected an intercept or at least one feature' \
    --no-intercept --exclude x,m,g
expect trials_of_poisson 2 \
    'trials go with family "binomial", not "poisson"' \
    glm good.csv --target y --family poisson --trials m
expect offset_of_multinomial 2 'family "multinomial" takes no offset' \
    glm good.csv --target g --family multinomial --offset x
expect robust_dist 2 \
    'dist takes standard errors expected, observed or none' \
    dist good.csv --column y --family normal --std-errors robust
expect parametrizations_of_glm 2 \
    'unknown option "--parametrizations"; see natgrad compare glm --help' \
    compare glm good.csv --target y --family gaussian --parametrizations sd

# ---- Help ----
for command in dist glm 'compare glm' 'compare dist' predict show kl; do
    # shellcheck disable=SC2086 # two words on purpose
    run $command --help
    name="help_of_$(echo "$command" | tr ' ' _)"
    if [ $status -eq 0 ] && grep -q '^Example:' out &&
        grep -q "^  natgrad $command " out && [ ! -s err ]; then
        ok "$name"
    else
        not_ok "$name" "status $status"
    fi
done
run --help
check help_of_all [ $status -eq 0 ]
check help_of_all_has_example grep -q '^Example:' out
run --version
check version grep -qE '^natgrad [0-9]+\.[0-9]+\.[0-9]+$' out
finish

#!/bin/sh
# The man pages say what the command does: the options of --help and those of
# the pages are the same, and so are commands, families and JSON keys.
# NATGRAD is the command, SOURCE the source tree.
set -u

: "${NATGRAD:?the command}" "${SOURCE:?the source tree}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
man=$SOURCE/man
status=0

# report NAME FILE: one case, passed if FILE holds no complaint.
report() {
    if [ -s "$2" ]; then
        echo "not ok $1"
        sed 's/^/    /' "$2"
        status=1
    else
        echo "ok $1"
    fi
}

# same NAME ONE OTHER: the complaints about two sorted lists that must agree.
same() {
    {
        comm -23 "$2" "$3" | sed 's/$/: undocumented/'
        comm -13 "$2" "$3" | sed 's/$/: documented, not there/'
    } >"$work/complaints"
    report "$1" "$work/complaints"
}

# The page's text without its markup; a tag is the line after .TP.
plain() {
    sed -e 's/\\f[BIR]//g' -e 's/\\-/-/g' -e 's/\\(ha/^/g' "$1"
}

tags() {
    plain "$1" | awk '/^\.TP/ {getline; print}'
}

# "--name ARGUMENT" as each side writes it.
page_options() {
    tags "$1" | sed -n -e 's/^\.BI \(--[^ ]*\) " \(.*\)"$/\1 \2/p' \
        -e 's/^\.B \(--[^ ]*\)$/\1/p' | sort -u
}

# In --help an option that takes a value is followed by its argument in one
# word, a flag by its padding.
help_options() {
    awk '/^  --/ {
        padded = $0 ~ /^  --[^ ]+  / && $0 !~ /^  --[^ ]+ [^ ]/
        print padded ? $1 : $1 " " $2
    }' "$@" | sort -u
}

for page in dist glm net compare predict show kl; do
    case $page in
    net) commands="net compare_net" ;;
    compare) commands="compare_glm compare_dist" ;;
    *) commands=$page ;;
    esac
    : >"$work/help"
    for command in $commands; do
        # shellcheck disable=SC2046 # one word or two
        "$NATGRAD" $(echo "$command" | tr _ ' ') --help >>"$work/help" ||
            echo "  --help-of-$command-failed  " >>"$work/help"
    done
    help_options "$work/help" >"$work/one"
    page_options "$man/natgrad-$page.1" >"$work/other"
    [ -s "$work/one" ] || echo "no options in --help" >"$work/one"
    same "man_options_$page" "$work/one" "$work/other"
done

# Commands: each in the overview, each with its page.
"$NATGRAD" --help | awk '/^Commands:/ {on = 1; next} /^$/ {on = 0}
    on {sub(/^  /, ""); sub(/  .*/, ""); print}' | sort >"$work/one"
plain "$man/natgrad.1" | awk '/^\.SH/ {on = $2 == "COMMANDS"}
    on && /^\.TP/ {getline; print}' | sort >"$work/other"
same man_commands "$work/one" "$work/other"

# Families: the message about an unknown one lists them all.
printf 'y,x\n1,2\n2,3\n3,5\n4,4\n' >"$work/data.csv"
families() {
    "$NATGRAD" "$1" "$work/data.csv" "$2" y --family unknown 2>&1 |
        sed 's/.*expected one of //' | tr -s ', ' '\n' | sort
}
page_families() {
    plain "$man/natgrad-$1.1" | awk '/^\.SH/ {on = $2 ~ /FAMILIES/}
        on && /^\.TP/ {getline; print}' | tr -s ', ' '\n' | sort
}
families dist --column >"$work/one"
page_families dist >"$work/other"
same man_families_dist "$work/one" "$work/other"
families glm --target >"$work/one"
page_families glm >"$work/other"
same man_families_glm "$work/one" "$work/other"

# Links: so does the message about a link that a family has not.
page_links() {
    plain "$man/natgrad-glm.1" | awk '/^\.SH/ {on = $2 == "FAMILIES"}
        on && /^\.TP/ {getline; printf "\n%s", $0; next}
        on && !/^\./ {printf " %s", $0}
        END {print ""}' | sed -n "s/^$1 .*Links: *\\(.*\\)\\.\$/\\1/p"
}
: >"$work/complaints"
for pair in gaussian:logit binomial:sqrt poisson:logit gamma:logit \
    inverse-gaussian:sqrt; do
    family=${pair%:*}
    "$NATGRAD" glm "$work/data.csv" --target y --family "$family" \
        --link "${pair#*:}" 2>&1 | sed 's/.*expected one of //' |
        tr -s ', ' '\n' | sort >"$work/one"
    page_links "$family" | tr -s ', ' '\n' | sort >"$work/other"
    cmp -s "$work/one" "$work/other" ||
        echo "$family: $(tr '\n' ' ' <"$work/one")" >>"$work/complaints"
done
report man_links "$work/complaints"

# JSON: each key of a result is a tag of the page.
for page in dist glm; do
    option=--column
    [ $page = glm ] && option=--target
    family=normal
    [ $page = glm ] && family=gaussian
    "$NATGRAD" $page "$work/data.csv" $option y --family $family --json \
        --test "$work/data.csv" --trace "$work/trace" |
        sed -n 's/^  "\([a-z0-9_]*\)":.*/\1/p' | sort -u >"$work/one"
    [ -s "$work/one" ] || echo "no JSON" >"$work/one"
    plain "$man/natgrad-$page.1" | awk '/^\.SH/ {on = $2 == "OUTPUT" ||
        $2 == "DEFINITIONS"} on && /^\.TP/ {getline; print}' |
        tr -s ', ' '\n' | sort -u >"$work/other"
    comm -23 "$work/one" "$work/other" | sed 's/$/: undocumented/' \
        >"$work/complaints"
    report "man_json_$page" "$work/complaints"
done

# A network's keys and its trace's fields, on its own page.
"$NATGRAD" net "$work/data.csv" --target y --layers '3 tanh' --epochs 2 \
    --json --quiet --test "$work/data.csv" --out "$work/net" \
    --onnx "$work/net.onnx" --trace "$work/net_trace" >"$work/json"
sed -n 's/^  "\([a-z0-9_]*\)":.*/\1/p' "$work/json" | sort -u >"$work/one"
[ -s "$work/one" ] || echo "no JSON" >"$work/one"
page_tags() {
    plain "$man/natgrad-net.1" | awk -v section="$1" '
        /^\.SH/ {on = $2 == section} on && /^\.TP/ {getline; print}' |
        tr -s ', ' '\n' | sort -u
}
page_tags OUTPUT >"$work/other"
comm -23 "$work/one" "$work/other" | sed 's/$/: undocumented/' \
    >"$work/complaints"
report man_json_net "$work/complaints"
sed 's/[{,] *"/\n"/g' "$work/net_trace" | sed -n 's/^"\([a-z_]*\)":.*/\1/p' |
    grep -vx -e accuracy -e squared_error | sort -u >"$work/one"
page_tags FILES | grep -vx valid >"$work/other"
same man_trace_fields_net "$work/one" "$work/other"
"$NATGRAD" net "$work/data.csv" --target y --optimizer unknown 2>&1 |
    sed -e 's/.*expected one of //' -e 's/, found.*//' | tr -s ', ' '\n' |
    sort >"$work/one"
page_tags OPTIMIZERS >"$work/other"
same man_optimizers_net "$work/one" "$work/other"

# The trace's fields are in the overview.
sed 's/[{,] *"/\n"/g' "$work/trace" | sed -n 's/^"\([a-z_]*\)":.*/\1/p' |
    sort -u >"$work/one"
plain "$man/natgrad.1" | awk '/^\.SH/ {on = $2 == "FILES"}
    on && /^\.TP/ {getline; print}' | tr -s ', ' '\n' | sort -u >"$work/other"
same man_trace_fields "$work/one" "$work/other"

# The markup itself.
if command -v mandoc >/dev/null 2>&1; then
    mandoc -T lint -W warning "$man"/*.1 >"$work/complaints" 2>&1
    report man_lint "$work/complaints"
else
    echo "SKIP man_lint: no mandoc"
fi
exit $status

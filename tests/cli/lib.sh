# What the tests of the command share. Sourced by POSIX sh scripts that run
# with NATGRAD, SOURCE, BUILD and SHARED set; each works in an empty folder
# and ends with `finish`.
set -u

LC_ALL=C
export LC_ALL
failed=0
folder=$(mktemp -d "${TMPDIR:-/tmp}/natgrad-cli-XXXXXX") || exit 1
trap 'cd /; rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
cd "$folder" || exit 1

ok() {
    echo "ok $1"
}

not_ok() {
    echo "not ok $1"
    shift
    for line; do
        printf '    %s\n' "$line"
    done
    failed=1
}

# check NAME CONDITION...: the condition is a command.
check() {
    name=$1
    shift
    if "$@"; then ok "$name"; else not_ok "$name" "failed: $*"; fi
}

skip() {
    echo "SKIP $1: $2"
}

# run ARGUMENT...: into files out and err, and $status.
run() {
    "$NATGRAD" "$@" >out 2>err
    status=$?
}

# expect NAME STATUS MESSAGE ARGUMENT...: the exit status, and all that is on
# standard error ("natgrad: " stands before MESSAGE). Nothing may be on
# standard output.
expect() {
    name=$1 wanted=$2 expected="natgrad: $3"
    shift 3
    run "$@"
    verdict
    [ ! -s out ] || not_ok "$name" "standard output is not empty"
}

# The same where a table may stand on standard output.
expect_after_output() {
    name=$1 wanted=$2 expected="natgrad: $3"
    shift 3
    run "$@"
    verdict
}

verdict() {
    found=$(cat err)
    if [ "$status" -eq "$wanted" ] && [ "$found" = "$expected" ]; then
        ok "$name"
    else
        not_ok "$name" "status $status, expected $wanted" "found    $found" \
            "expected $expected"
    fi
}

# succeed NAME ARGUMENT...
succeed() {
    name=$1
    shift
    run "$@"
    if [ "$status" -eq 0 ]; then
        ok "$name"
    else
        not_ok "$name" "status $status: $(head -n 3 err)"
    fi
}

have() {
    command -v "$1" >/dev/null 2>&1
}

finish() {
    exit $failed
}

#!/bin/sh
# Installs the build and uses it as a stranger would: by pkg-config and by
# find_package, shared and static, from C and from C++. BUILD is the build
# tree, SOURCE the source tree.
set -u

: "${BUILD:?the build tree}" "${SOURCE:?the source tree}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
log=$work/log
status=0

# check NAME COMMAND...: one case.
check() {
    name=$1
    shift
    if "$@" >"$log" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        sed 's/^/    /' "$log"
        status=1
    fi
}

# The program: a fit through the public interface, and the two versions.
cat >"$work/outside.c" <<'EOF'
#include <natgrad/natgrad.h>

#include <stdio.h>
#include <string.h>

int main(void) {
    const double waits[] = {1.5, 0.25, 3, 0.75, 2.5};
    const double *const columns[] = {waits};
    static const char *const names[] = {"wait"};
    ng_ctx *ctx;
    ng_frame *frame = NULL;
    ng_model *model = NULL;
    ng_dist_options options;
    double rate = 0;

    if (strcmp(ng_version(), NG_VERSION) != 0) {
        printf("header %s, library %s\n", NG_VERSION, ng_version());
        return 1;
    }
    if (ng_ctx_create(NULL, &ctx) != NG_OK)
        return 1;
    ng_dist_options_init(&options);
    options.family = "exponential";
    options.columns = names;
    options.column_count = 1;
    if (ng_frame_from_arrays(ctx, 5, 1, names, columns, &frame) == NG_OK &&
        ng_dist_fit(ctx, frame, &options, &model) == NG_OK)
        rate = ng_model_summary(model)->parameter[0].estimate;
    else
        puts(ng_error(ctx));
    printf("natgrad %s: rate %.6f\n", ng_version(), rate);
    ng_model_destroy(&model);
    ng_frame_destroy(&frame);
    ng_ctx_destroy(&ctx);
    /* The rate is one over the mean, 1.6. */
    return !(rate > 0.624999 && rate < 0.625001);
}
EOF
cp "$work/outside.c" "$work/outside.cpp"

cmake --install "$BUILD" --prefix "$prefix" >"$log" 2>&1 || {
    cat "$log"
    echo "not ok install"
    exit 1
}
echo "ok install"

check headers_all_installed \
    diff -r "$SOURCE/include/natgrad" "$prefix/include/natgrad"
check manual_pages_installed sh -c '
    for page in "$0"/man/*.1; do
        [ ! -e "$page" ] ||
            cmp "$page" "$1/share/man/man1/${page##*/}" || exit 1
    done' "$SOURCE" "$prefix"
check command_runs "$prefix/bin/natgrad" --version

libdir=$(dirname "$(find "$prefix" -name libnatgrad.a)")

# Sanitized libraries need the sanitizers in their users too.
flags=
if nm "$libdir/libnatgrad.a" 2>/dev/null | grep -q __asan_init; then
    flags=-fsanitize=address,undefined
fi

# Every exported symbol carries the prefix (the address sanitizer doubles
# those of data).
only_prefixed() {
    foreign=$(nm -D --defined-only "$libdir/libnatgrad.so" |
        awk '$2 ~ /[A-Z]/ && $3 !~ /^(__odr_asan\.)?ng_/ {print $3}')
    echo "$foreign"
    [ -z "$foreign" ]
}
check shared_library_exports_only_ng only_prefixed

# Every function that a header declares is exported.
declared_are_exported() {
    nm -D --defined-only "$libdir/libnatgrad.so" | awk '{print $3}' |
        sort -u >"$work/exported"
    for header in "$prefix"/include/natgrad/*.h; do
        ${CC:-cc} -E -P -I"$prefix/include" "$header"
    done | tr '\n' ' ' |
        grep -o 'visibility("default")[^;]*;' |
        grep -o '\<ng_[a-z0-9_]*[ ]*[(;]' | tr -d ' (;' |
        sort -u >"$work/declared"
    [ -s "$work/declared" ] || return 1
    comm -23 "$work/declared" "$work/exported" >"$work/missing"
    cat "$work/missing"
    [ ! -s "$work/missing" ]
}
check every_declared_function_is_exported declared_are_exported

# ---- Headers ----

for header in "$prefix"/include/natgrad/*.h; do
    name=$(basename "$header" .h)
    printf '#include <natgrad/%s.h>\nint nothing;\n' "$name" >"$work/alone.c"
    check "header_${name}_alone_in_c11" ${CC:-cc} -std=c11 -Wall -Wextra \
        -Werror -pedantic -I"$prefix/include" -fsyntax-only "$work/alone.c"
done

# ---- pkg-config ----

export PKG_CONFIG_PATH="$libdir/pkgconfig"
export LD_LIBRARY_PATH="$libdir"

# by_pkg_config COMPILER STANDARD SOURCE OUT OPTION...
by_pkg_config() {
    compiler=$1 standard=$2 source=$3 out=$4
    shift 4
    # shellcheck disable=SC2046 # flags, meant to split
    $compiler "$standard" -Wall -Wextra -Werror -pedantic $flags "$source" \
        -o "$out" $(pkg-config "$@" --cflags --libs natgrad) && "$out"
}

linked_shared() {
    readelf -d "$1" | grep -q 'NEEDED.*libnatgrad\.so'
}
linked_static() {
    [ -x "$1" ] && ! linked_shared "$1"
}

version=$(sed -n 's/.*define NG_VERSION *"\(.*\)"/\1/p' \
    "$prefix/include/natgrad/base.h")
check pkg_config_version test "$(pkg-config --modversion natgrad)" = "$version"
check c_by_pkg_config_shared by_pkg_config "${CC:-cc}" -std=c11 \
    "$work/outside.c" "$work/pc-shared"
check c_by_pkg_config_shared_is_shared linked_shared "$work/pc-shared"
check cpp_by_pkg_config_shared by_pkg_config "${CXX:-g++}" -std=c++17 \
    "$work/outside.cpp" "$work/pc-cpp"

# A linker that finds both libraries takes the shared one: hide it. This also
# moves the tree, which must not matter.
static=$work/moved
cp -R "$prefix" "$static"
find "$static" -name 'libnatgrad.so*' -exec rm {} +
export PKG_CONFIG_PATH="$static${libdir#"$prefix"}/pkgconfig"
check c_by_pkg_config_static by_pkg_config "${CC:-cc}" -std=c11 \
    "$work/outside.c" "$work/pc-static" --static
check c_by_pkg_config_static_is_static linked_static "$work/pc-static"
unset LD_LIBRARY_PATH

# ---- find_package ----

mkdir "$work/project"
cp "$work/outside.c" "$work/outside.cpp" "$work/project"
cat >"$work/project/CMakeLists.txt" <<'EOF'
cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES C CXX)
find_package(natgrad ${NATGRAD_VERSION} REQUIRED)
set(CMAKE_C_STANDARD 11)
set(CMAKE_CXX_STANDARD 17)
foreach(kind shared static natgrad)
  add_executable(c-${kind} outside.c)
  target_link_libraries(c-${kind} PRIVATE natgrad::${kind})
  add_executable(cpp-${kind} outside.cpp)
  target_link_libraries(cpp-${kind} PRIVATE natgrad::${kind})
endforeach()
EOF

by_find_package() {
    cmake -S "$work/project" -B "$work/project/build" \
        -DCMAKE_PREFIX_PATH="$prefix" -DNATGRAD_VERSION="$version" \
        -DCMAKE_C_FLAGS="$flags" \
        -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror -pedantic $flags" &&
        cmake --build "$work/project/build"
}
check find_package_configures_and_builds by_find_package
for program in c-shared c-static c-natgrad cpp-shared cpp-static; do
    check "find_package_$program" "$work/project/build/$program"
done
check find_package_shared_is_shared \
    linked_shared "$work/project/build/c-shared"
check find_package_static_is_static \
    linked_static "$work/project/build/c-static"

# A program that asks for a later version is told so.
later_is_refused() {
    ! cmake -S "$work/project" -B "$work/project/later" \
        -DCMAKE_PREFIX_PATH="$prefix" -DNATGRAD_VERSION=999.0
}
check find_package_refuses_a_later_version later_is_refused
exit $status

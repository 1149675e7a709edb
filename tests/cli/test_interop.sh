#!/bin/sh
# Other people's tools read what natgrad writes: networks as ONNX pass ONNX's
# checks and compute the same in NumPy, model files load into PyTorch and
# compute the same there. The networks are those of tests/learners/test_onnx.c,
# and one of the command.
. "$SOURCE/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

# A Python that has the modules: the first on the path need not be the one that
# the system's packages are for.
python_with() {
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c "import $1" >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
}

mkdir cases || exit 1
check the_cases_are_written "$BUILD/tests/test_onnx" cases

succeed the_command_exports net cases/flattened-image.x.npy \
    --target cases/flattened-image.y.npy --family categorical \
    --layers 'conv 5 3x2 relu, pool 2, 9 tanh' --max-iter 3 --quiet --json \
    --out cases/command.safetensors --onnx cases/command.onnx
cp cases/flattened-image.x.npy cases/command.x.npy
succeed the_command_predicts predict cases/command.safetensors \
    cases/command.x.npy --out cases/command.csv

# compare NAME MODULES SCRIPT
compare() {
    python=$(python_with "$2")
    if [ -z "$python" ]; then
        skip "$1" "no python3 with $2"
        return
    fi
    "$python" "$SOURCE/tests/interop/$3" cases || not_ok "$1"
}

compare onnx onnx,numpy check_onnx.py
compare torch torch,numpy check_torch.py

finish

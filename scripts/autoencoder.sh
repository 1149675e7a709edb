#!/bin/sh
# The picture that the README opens with, made again: the deep autoencoder of
# Hinton & Salakhutdinov (2006) on Fashion-MNIST, by K-FAC on its defaults and
# by Adam and Nesterov's momentum at their best rates.
#
#     scripts/autoencoder.sh [SECONDS [PICTURE.png]]
#
# trains for so many seconds by each optimizer (60), after the search for the
# rates. THREADS=N sets the workers, FASHION_MNIST=DIR where the four files are
# if not where Debian's package puts them.
set -eu
cd "$(dirname "$0")/.."

natgrad=${natgrad:-build/natgrad}
seconds=${1:-60}
picture=${2:-docs/img/autoencoder.png}
threads=${THREADS:-$(nproc)}
data=${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
images=$data/train-images-idx3-ubyte.gz
[ -f "$images" ] || {
    mkdir -p build
    scripts/setup.sh dataset-fashion-mnist
}
[ -f "$images" ] || {
    echo "$images: not found. FASHION_MNIST=DIR says where the files are." >&2
    exit 1
}

work=out/autoencoder
mkdir -p "$work"
$natgrad compare net "$images" --target self \
    --layers '1000 tanh, 500 tanh, 250 tanh, 30, 250 tanh, 500 tanh, 1000 tanh' \
    --test "$data/t10k-images-idx3-ubyte.gz" --l2 1e-5 --batch 1000 \
    --optimizers kfac,adam,momentum \
    --rates "${RATES:-0.0003,0.001,0.003,0.01}" \
    --tune-iter "${TUNE:-60}" --seconds "$seconds" --evaluate-every 10 \
    --threads "$threads" \
    --out $work/curves.tsv --plot $work/autoencoder.png | tee $work/table.txt
mkdir -p "$(dirname "$picture")"
cp $work/autoencoder.png "$picture"
echo "Picture: $picture; table, curves and gnuplot's script: $work"

#!/bin/sh
# The main job on real data: a softmax on the UCI handwritten digits, by
# natural gradient and by the ordinary methods, from the same start.
set -eu

natgrad=build/natgrad
out=out/demo
mkdir -p $out

# Every fifth row is the test set.
gzip -dc data/digits.csv.gz >$out/digits.csv
awk -v out=$out 'NR == 1 {print >(out "/train.csv"); print >(out "/test.csv")}
    NR > 1 {print >(out ((NR - 1) % 5 == 0 ? "/test.csv" : "/train.csv"))}' \
    $out/digits.csv

echo "== A softmax on 8x8 handwritten digits, 9 logits of 65 coefficients =="
echo "   Six optimisers from one start, each at its best rate."
echo
$natgrad compare glm $out/train.csv --target digit --family multinomial \
    --l2 1e-3 --max-iter 1000 --tune-iter 100 --test $out/test.csv \
    --out $out/race.tsv --plot $out/race.svg
sed 's/svg size 1200,480 dynamic/png size 1200,480/; s/race\.svg/race.png/' \
    $out/race.gp >$out/race-png.gp
command -v gnuplot >/dev/null 2>&1 && gnuplot $out/race-png.gp

echo
echo "== The model by natural gradient, with its defaults =="
$natgrad glm $out/train.csv --target digit --family multinomial --l2 1e-3 \
    --test $out/test.csv --out $out/digits.safetensors \
    --trace $out/trace.jsonl >$out/fit.txt
tail -n 5 $out/fit.txt
$natgrad predict $out/digits.safetensors $out/test.csv \
    --out $out/predictions.csv

echo
echo "In $out:"
echo "  race.svg, race.png   the picture: nats above the optimum"
echo "  race.tsv             what it was drawn from"
echo "  trace.jsonl          every iteration of the natural gradient"
echo "  digits.safetensors   the model (natgrad show $out/digits.safetensors)"
echo "  predictions.csv      its probabilities for the test digits"

#!/bin/sh
# The main job on real data: a regression with all that R says of it, then a
# softmax and a network on the UCI handwritten digits, by natural gradient and
# by the ordinary methods, from the same start.
set -eu

natgrad=${natgrad:-build/natgrad}
out=out/demo
mkdir -p $out

# The script of picture $1.svg draws it as PNG too.
as_png() {
    sed "s/^set terminal svg size \([0-9,]*\) dynamic/set terminal png size \1/
        s/$1\.svg/$1.png/" "$out/$1.gp" >"$out/$1-png.gp"
    if command -v gnuplot >/dev/null 2>&1; then
        gnuplot "$out/$1-png.gp"
    fi
}

echo "== The O-rings of 23 shuttle flights: distress at 31 degrees Fahrenheit? =="
$natgrad glm data/orings.csv --family binomial --intervals profile \
    --formula 'cbind(distress, intact) ~ temperature' \
    --out $out/orings.safetensors --plot $out/orings.png
$natgrad glm data/orings.csv --family binomial \
    --formula 'cbind(distress, intact) ~ temperature + pressure' \
    --out $out/orings-pressure.safetensors >$out/orings-pressure.txt
$natgrad compare glm --nested $out/orings.safetensors \
    $out/orings-pressure.safetensors
printf 'temperature\n31\n' >$out/launch.csv
$natgrad predict $out/orings.safetensors $out/launch.csv --std-errors \
    --out $out/launch-predicted.csv
awk -F, 'NR == 2 { printf "At 31 degrees a ring fails with probability %.2f " \
    "(95%%: %.2f to %.2f), far from any data.\n\n", $1, $3, $4 }' \
    $out/launch-predicted.csv

# Every fifth row is the test set.
gzip -dc data/digits.csv.gz >$out/digits.csv
awk -v out=$out 'NR == 1 {print >(out "/train.csv"); print >(out "/test.csv")}
    NR > 1 {print >(out ((NR - 1) % 5 == 0 ? "/test.csv" : "/train.csv"))}' \
    $out/digits.csv

echo "== A softmax on 8x8 handwritten digits, 9 logits of 65 coefficients =="
echo "   Six optimisers from one start, each at its best rate."
echo
$natgrad compare glm $out/train.csv --target digit --family multinomial \
    --l2 1e-3 --max-iter 1000 --tune-iter 60 \
    --rates 0.01,0.03,0.1,0.3,1,3,10 --test $out/test.csv \
    --out $out/race.tsv --plot $out/race.svg
as_png race

echo
echo "== The model by natural gradient, with its defaults =="
$natgrad glm $out/train.csv --target digit --family multinomial --l2 1e-3 \
    --test $out/test.csv --out $out/digits.safetensors \
    --trace $out/trace.jsonl >$out/fit.txt
tail -n 5 $out/fit.txt
$natgrad predict $out/digits.safetensors $out/test.csv \
    --out $out/predictions.csv

echo
echo "== A network on the same digits, 64-64-10 with tanh =="
echo "   The same batches for all. K-FAC runs on its defaults; the others run"
echo "   at the rate with the lowest training loss after as many iterations."
echo
$natgrad compare net $out/train.csv --target digit --family categorical \
    --layers '64 tanh' --batch 180 --max-iter 300 --tune-iter 300 \
    --optimizers kfac,adam,momentum,sgd \
    --rates 0.001,0.003,0.01,0.03,0.1,0.3,1,3 --evaluate-every 5 --quiet \
    --test $out/test.csv --out $out/network.tsv --plot $out/network.svg
as_png network
echo
echo "   K-FAC looks at an iteration's batch for longer than the others do: on"
echo "   a network this small seconds can favour them where iterations do not."
echo "   The lowest training loss need not be the lowest test loss."

echo
echo "== The network by K-FAC, stopped where held-out digits say so =="
$natgrad net $out/train.csv --target digit --family categorical \
    --layers '64 tanh' --valid 0.2 --quiet --test $out/test.csv \
    --out $out/network.safetensors >$out/network.txt
$natgrad show $out/network.safetensors
$natgrad predict $out/network.safetensors $out/test.csv \
    --out $out/network-predictions.csv
awk -F, 'NR == FNR { guess[NR] = $NF; next }
    FNR > 1 { right += guess[FNR] == $NF; all++ }
    END { printf "Right on %d of %d test digits.\n", right, all }' \
    $out/network-predictions.csv $out/test.csv

echo
echo "In $out:"
echo "  orings.png                the O-rings: residuals, quantiles, leverage"
echo "  race.svg, race.png        the softmax: nats above the optimum"
echo "  race.tsv                  what it was drawn from"
echo "  trace.jsonl               every iteration of the natural gradient"
echo "  digits.safetensors        the softmax (natgrad show $out/digits.safetensors)"
echo "  predictions.csv           its probabilities for the test digits"
echo "  network.svg, network.png  the network: loss and error of each optimizer"
echo "  network.tsv               what they were drawn from"
echo "  network.safetensors       the network, which PyTorch reads too"
echo "  network-predictions.csv   its probabilities for the test digits"

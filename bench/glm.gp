# gnuplot -e "data='TSV'; out='PNG'; array titles = ['A', ...]" glm.gp: a panel
# for each block of methods and their times over the floor.
set terminal pngcairo size 1200,820 font "sans,11"
set output out
set datafile separator "\t"
set multiplot layout (|titles| + 1) / 2,2 \
    title "Fits to max|gradient|/n of 1e-8, one thread: times the floor"
set style fill solid 0.7
set logscale x
set xrange [0.2:400]
set format x "%g"
set grid xtics
set offsets 0, 0, 0.6, 0.6
set yrange [] reverse
unset key
do for [i=1:|titles|] {
    set title titles[i]
    plot data index i-1 \
            using (0.2):0:(0.2):2:($0-0.3):($0+0.3):ytic(1) \
            with boxxyerror lc rgb "#4477aa", \
        data index i-1 using 2:0:(sprintf(" %.3g", $2)) with labels left
}
unset multiplot

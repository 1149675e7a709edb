# gnuplot -e "data='TSV'; names='A B'; label='y'; title='T'; out='PNG'"
# network.gp: four panels, training and test over iterations and seconds.
set terminal pngcairo size 1200,900 font "sans,11"
set output out
set datafile separator "\t"
set multiplot layout 2,2 title title
set logscale y
set format y "%g"
set grid
set key top right
set style data lines

parts = "training test"
axes = "iterations seconds"
do for [part=1:2] {
    set ylabel word(parts, part)." ".label
    do for [axis=1:2] {
        set xlabel word(axes, axis)
        plot for [i=1:words(names)] data index i-1 \
            using axis:(column(2+part)) lw 2 \
            title (part == 1 && axis == 1 ? word(names, i) : "")
    }
}
unset multiplot

# gnuplot -e "out='DIR'" network_cost.gp: the cost curves of
# DIR/network-cost.tsv.
set terminal svg size 1000,440 font "sans,13" background "white"
set output out.'/network-cost.svg'
set datafile separator "\t"
set multiplot layout 1,2 \
    title "One training step of a network w - w - w, batch 256, one thread"
set logscale x 2
set logscale y
set grid
set xlabel "width w"
set xrange [6:1400]
set key bottom right reverse Left samplen 2
set style data linespoints

methods = "sgd diagonal kfac ekfac natural"
colours = "#888888 #009e73 #0072b2 #d55e00 #aa3377"
file = out.'/network-cost.tsv'

set ylabel "seconds"
set format y "10^{%L}"
plot for [i=1:words(methods)] file index i-1 using 3:5 \
    every ::(i==1) lw 2 pt 6 ps 0.6 lc rgb word(colours, i) \
    title word(methods, i)

set ylabel "MiB"
set format y "%g"
plot for [i=1:words(methods)] file index i-1 using 3:($7/1048576) \
    every ::(i==1) lw 2 pt 6 ps 0.6 lc rgb word(colours, i) notitle
unset multiplot

# gnuplot -e "out='DIR'" cost.gp: the cost curves of DIR/cost.tsv.
set terminal pngcairo size 1200,520 font "sans,11"
set output out.'/cost.png'
set datafile separator "\t"
set multiplot layout 1,2 \
    title "One natural-gradient step, logistic regression on 2,000 rows"
set logscale xy
set format x "%g"
set grid
set xlabel "parameters d"
set xrange [12:22000]
set key top left reverse Left
set style data linespoints

metrics = "diagonal dense cg sample-space"

set ylabel "seconds"
set yrange [5e-5:5]
set format y "10^{%L}"
plot for [i=1:words(metrics)] out.'/cost.tsv' index i-1 using 4:5 \
        every ::(i==1) lw 2 pt 6+i title word(metrics, i), \
    [128:4096] 2e-8*x**2 lw 1 dt 2 lc rgb "gray" title "d^2", \
    [512:16384] 1.5e-7*x lw 1 dt 3 lc rgb "gray" title "d"

set ylabel "bytes"
set yrange [1e5:7e8]
plot for [i=1:words(metrics)] out.'/cost.tsv' index i-1 using 4:6 \
        every ::(i==1) lw 2 pt 6+i notitle, \
    [128:4096] 40*x**2 lw 1 dt 2 lc rgb "gray" notitle, \
    [512:16384] 300*x lw 1 dt 3 lc rgb "gray" notitle
unset multiplot

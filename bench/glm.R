# Rscript glm.R X.bin y.bin ROWS COLUMNS FAMILY METHOD TOLERANCE OUT: one fit by
# R's glm.fit or glm, standard errors included; prints what the other programs
# of this bench print. OUT receives coefficients and standard errors.
argument <- commandArgs(TRUE)
n <- as.integer(argument[3])
p <- as.integer(argument[4])
family <- get(argument[5])()
method <- argument[6]
control <- glm.control(epsilon = as.numeric(argument[7]), maxit = 100)

read <- function(path, count) readBin(path, "double", count)
bytes <- function(key) {
    lines <- tryCatch(readLines("/proc/self/status"), error = function(e) "")
    line <- grep(key, lines, value = TRUE)
    if (length(line)) 1024 * as.numeric(gsub("[^0-9]", "", line)) else 0
}

X <- cbind(1, matrix(read(argument[1], n * p), n, p))
y <- read(argument[2], n)

run <- function(X, y) {
    if (method == "glm.fit") {
        fit <- glm.fit(X, y, family = family, control = control)
        errors <- sqrt(diag(chol2inv(fit$qr$qr[1:ncol(X), , drop = FALSE])))
    } else {
        fit <- glm(y ~ X - 1, family = family, control = control)
        errors <- summary(fit)$coefficients[, 2]
    }
    list(fit$coefficients, errors, fit$iter)
}

# R compiles a function when it has been called twice.
few <- seq_len(min(n, 20 * (p + 1)))
for (i in 1:3) suppressWarnings(run(X[few, , drop = FALSE], y[few]))

invisible(gc())
try(cat("5", file = "/proc/self/clear_refs"), silent = TRUE)
resident <- bytes("VmRSS:")
seconds <- system.time(result <- run(X, y))[["elapsed"]]
grown <- bytes("VmHWM:") - resident
writeBin(unname(c(result[[1]], result[[2]])), argument[8])
cat(sprintf("seconds\t%.6f\niterations\t%d\ngrown\t%.0f\n", seconds,
            result[[3]], grown))

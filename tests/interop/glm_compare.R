# Runs of natgrad, and what is compared of a fit.

# ---- Comparing ----

problems <- character()
worst <- numeric()
failures <- 0
cases <- 0

# |got - want| <= tolerance * scale, and both missing or infinite alike.
near <- function(what, got, want, tolerance, scale = abs(want)) {
  got <- as.numeric(got)
  want <- as.numeric(want)
  if (length(got) != length(want)) {
    problems <<- c(problems, sprintf("%s: %d numbers, R has %d", what,
                                     length(got), length(want)))
    return(invisible())
  }
  same <- (is.na(got) & is.na(want)) | (!is.na(got) & !is.na(want) &
                                          got == want)
  off <- ifelse(same, 0, abs(got - want) / pmax(scale, 1e-300))
  off[is.na(off)] <- Inf
  i <- which.max(off)
  if (!length(off)) return(invisible())
  worst[what] <<- max(off[i], worst[what], na.rm = TRUE)
  if (off[i] > tolerance)
    problems <<- c(problems, sprintf(
      "%s [%d]: %.17g, R has %.17g: off by %.2g, allowed %.2g", what, i,
      got[i], want[i], off[i], tolerance))
}

same <- function(what, got, want) {
  if (!identical(got, want))
    problems <<- c(problems, sprintf("%s: %s, R has %s", what,
                                     paste(got, collapse = " "),
                                     paste(want, collapse = " ")))
}

case <- function(name, body) {
  problems <<- character()
  worst <<- numeric()
  cases <<- cases + 1
  result <- tryCatch({ body; NULL }, error = function(e) conditionMessage(e))
  problems <<- c(problems, result)
  cat(if (length(problems)) "not ok " else "ok ", name, "\n", sep = "")
  for (line in problems) cat("   ", line, "\n")
  if (verbose && length(worst))
    cat("   ", paste(names(worst), signif(worst, 2), collapse = "; "), "\n")
  failures <<- failures + (length(problems) > 0)
}

# ---- Files and runs ----

# Factors with levels in the order of natgrad: of bytes.
plain <- function(data) {
  data <- as.data.frame(unclass(data), stringsAsFactors = FALSE)
  for (j in seq_along(data))
    if (!is.numeric(data[[j]])) {
      text <- as.character(data[[j]])
      data[[j]] <- factor(text, levels = sort(unique(text), method = "radix"))
    }
  data
}

write_data <- function(data, file) {
  columns <- lapply(data, function(x)
    if (is.factor(x)) paste0('"', x, '"')
    else ifelse(is.na(x), "", sprintf("%.17g", x)))
  writeLines(c(paste0('"', names(data), '"', collapse = ","),
               do.call(paste, c(unname(columns), sep = ","))), file)
  file
}

run <- function(...) {
  status <- system2(natgrad, shQuote(c(...)), stdout = "out", stderr = "err")
  if (status != 0)
    stop(sprintf("natgrad %s: status %d: %s", paste(c(...), collapse = " "),
                 status, paste(readLines("err"), collapse = " ")))
  paste(readLines("out"), collapse = "\n")
}

parse_json <- function(text) {
  token <- regmatches(text, gregexpr(
    '"(?:[^"\\\\]|\\\\.)*"|[][{}:,]|[-+0-9.eEa-z]+', text, perl = TRUE))[[1]]
  at <- 0
  take <- function() token[at <<- at + 1]
  bare <- function(t)
    gsub('\\\\(.)', "\\1", substr(t, 2, nchar(t) - 1), perl = TRUE)
  several <- function(close, item) {
    out <- list()
    if (token[at + 1] == close) { take(); return(out) }
    repeat {
      out <- c(out, item())
      if (take() == close) return(out)
    }
  }
  value <- function() {
    t <- take()
    if (t == "{") return(several("}", function() {
      key <- bare(take())
      take()
      setNames(list(value()), key)
    }))
    if (t == "[") return(several("]", function() list(value())))
    if (startsWith(t, '"')) return(bare(t))
    switch(t, null = NA_real_, true = TRUE, false = FALSE, as.numeric(t))
  }
  value()
}

read_table <- function(file)
  read.csv(file, check.names = FALSE, comment.char = "")

glm_of <- function(file, formula, family, link = NULL, ...)
  parse_json(run("glm", file, "--formula", formula, "--family", family,
                 if (!is.null(link)) c("--link", link), "--json", "--quiet",
                 ...))

field <- function(list, name) vapply(list, function(x)
  if (is.null(x[[name]])) NA_real_ else as.numeric(x[[name]]), 0)

# wool[B]:tension[L] as R calls it.
term_names <- function(list) gsub("[][]", "", vapply(list, `[[`, "", "term"))

# ---- What is compared of a fit ----

COEFFICIENT <- 1e-9
ERROR <- 1e-8
LIKELIHOOD <- 1e-11

# Relative to themselves, or where they are nearly 0 to what is known of them.
check_coefficients <- function(got, beta, se, tolerance = COEFFICIENT) {
  near("estimate", field(got, "estimate"), beta, tolerance,
       pmax(abs(beta), se))
  near("std_error", field(got, "std_error"), se, ERROR)
}

check_likelihood <- function(got, r) {
  near("log_likelihood", got$log_likelihood, r$log_likelihood, LIKELIHOOD)
  near("aic", got$aic, r$aic, LIKELIHOOD, abs(r$aic) + abs(r$log_likelihood))
  near("bic", got$bic, r$bic, LIKELIHOOD, abs(r$bic) + abs(r$log_likelihood))
}

spread <- function(r, x) {
  out <- rep(NA_real_, ncol(r$d$full))
  out[r$d$kept] <- x
  out
}

check_summary <- function(got, r, names) {
  beta <- spread(r, r$beta)
  se <- spread(r, r$se)
  if (names) same("terms", term_names(got$coefficients), colnames(r$d$full))
  check_coefficients(got$coefficients, beta, se)
  same("aliased", gsub("[][]", "", as.character(unlist(got$aliased))),
       if (names) colnames(r$d$full)[-r$d$kept] else
         gsub("[][]", "", as.character(unlist(got$aliased))))
  z <- beta / se
  near("statistic", field(got$coefficients, "statistic"), z, ERROR,
       pmax(abs(z), 1))
  p <- if (r$free) 2 * pt(-abs(z), r$df) else 2 * pnorm(-abs(z))
  # d log p / d z is about z.
  near("p_value", field(got$coefficients, "p_value"), p, 2 * ERROR,
       p * (1 + z^2) + 1e-300)
  q <- if (r$free) qt(0.975, r$df) else qnorm(0.975)
  near("lower", field(got$coefficients, "lower"), beta - q * se, ERROR,
       abs(beta) + se)
  near("upper", field(got$coefficients, "upper"), beta + q * se, ERROR,
       abs(beta) + se)
  near("df_residual", got$df_residual, r$df, 0)
  near("n", got$n, sum(r$d$w > 0), 0)
  near("rank", got$rank, ncol(r$d$X), 0)
  near("dispersion", got$dispersion, r$dispersion, ERROR)
  near("deviance", got$deviance, r$deviance, LIKELIHOOD)
  near("null_deviance", got$null_deviance, r$null, LIKELIHOOD)
  if (!is.na(r$aic)) check_likelihood(got, r)
}

# A residual is a difference: its rounding is that of what it is made of. The
# deviance one is a root of what may nearly vanish.
check_rows <- function(r) {
  got <- read_table("residuals.csv")
  near("rows", nrow(got), nrow(r$rows), 0)
  # Means are 1 to R where they are within rounding of it.
  on <- r$d$w > 0 & !(r$family$family == "binomial" &
                        r$mu * (1 - r$mu) < 1e-9)
  free <- on & r$rows$leverage < 1 - 1e-8
  size <- function(x) abs(x) + sqrt(mean(x[free]^2))
  near("fitted", got$fitted[on], r$rows$fitted[on], ERROR)
  near("link", got$link[on], r$rows$link[on], ERROR, 1 + abs(r$rows$link[on]))
  near("leverage", got$leverage[on], r$rows$leverage[on], ERROR,
       pmax(r$rows$leverage, 1e-3 * mean(r$rows$leverage))[on])
  for (name in c("response", "pearson", "deviance"))
    near(name, got[[name]][on], r$rows[[name]][on], ERROR,
         size(r$rows[[name]])[on])
  for (name in c("std_pearson", "std_deviance", "cook"))
    near(name, got[[name]][free], r$rows[[name]][free], ERROR,
         (size(r$rows[[name]]) / (1 - r$rows$leverage))[free])
}

check_predictions <- function(r, file) {
  got <- parse_predictions(file)
  # x' C x, by the leverages where there are any; it may cancel.
  of_errors <- rowSums((r$d$X %*% r$covariance) * r$d$X)
  work <- r$d$w * r$slope^2 / r$family$variance(r$mu)
  se <- sqrt(ifelse(work > 0, r$dispersion * r$rows$leverage / work,
                    of_errors))
  cancelled <- rowSums((abs(r$d$X) %*% abs(r$covariance)) * abs(r$d$X))
  size <- se + cancelled / se * 10 * .Machine$double.eps / ERROR
  q <- if (r$free) qt(0.975, r$df) else qnorm(0.975)
  near("predicted", got$mean, r$mu, ERROR)
  near("predicted link", got$link, r$eta, ERROR, 1 + abs(r$eta))
  near("link_std_error", got$link_std_error, se, ERROR, size)
  near("mean std_error", got$std_error, se * abs(r$slope), ERROR,
       size * pmax(abs(r$slope), 1e-7))
  ends <- cbind(r$family$linkinv(r$eta - q * se),
                r$family$linkinv(r$eta + q * se))
  inside <- r$family$valideta
  sound <- vapply(seq_along(se), function(i)
    inside(r$eta[i] - q * se[i]) && inside(r$eta[i] + q * se[i]) &&
      sign(r$eta[i] - q * se[i]) == sign(r$eta[i] + q * se[i]), NA)
  near("mean_lower", got$mean_lower[sound],
       pmin(ends[, 1], ends[, 2])[sound], ERROR, pmax(abs(r$mu), 1e-6)[sound])
  near("mean_upper", got$mean_upper[sound],
       pmax(ends[, 1], ends[, 2])[sound], ERROR,
       pmax(abs(ends[, 1]), abs(ends[, 2]))[sound])
}

parse_predictions <- function(file) {
  run("predict", "model.safetensors", file, "--std-errors", "--out",
      "predictions.csv")
  read_table("predictions.csv")
}

check_robust <- function(r, fit, cluster) {
  for (kind in c("robust", "HC1", "HC2", "HC3"))
    near(kind, field(fit("--std-errors", kind)$coefficients, "std_error"),
         spread(r, sandwich(r, kind)), ERROR)
  if (all(r$d$w > 0))
    near("observed", field(fit("--std-errors", "observed")$coefficients,
                           "std_error"), spread(r, observed_errors(r)), ERROR)
  if (!is.null(cluster))
    near("cluster", field(fit("--cluster", cluster)$coefficients, "std_error"),
         spread(r, sandwich(r, "HC0", r$clusters)), ERROR,
         pmax(spread(r, sandwich(r, "HC0", r$clusters)),
              1e-3 * spread(r, r$se)))
}

# natgrad glm against R, over R's own data: every family with every link that
# both have, formulas of all kinds, and what is made of a fit. Called as
#   Rscript glm_against_r.R NATGRAD FOLDER
# with an empty folder to work in; prints "ok NAME" and "not ok NAME".
arguments <- commandArgs(trailingOnly = TRUE)
natgrad <- normalizePath(arguments[1])
here <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
source(file.path(dirname(here), "glm_reference.R"))
source(file.path(dirname(here), "glm_compare.R"))
setwd(arguments[2])
options(warn = 1, stringsAsFactors = FALSE)
verbose <- nzchar(Sys.getenv("VERBOSE"))

# ---- Families of one predictor ----

# formula: R's, `text` natgrad's where the two are written differently.
compare <- function(family, link, formula, data, weights = NULL, offset = NULL,
                    text = formula, cluster = NULL, robust = FALSE,
                    power = NULL, names = TRUE, more = character(),
                    rdata = data, label = "") {
  name <- trimws(paste("glm", family, link, formula, label))
  case(name, {
    file <- write_data(data, "data.csv")
    fit <- function(...)
      glm_of(file, text, family, link, if (!is.null(weights))
        c("--weights", weights), if (!is.null(offset)) c("--offset", offset),
        if (!is.null(power)) c("--power", power), more, ...)
    d <- design(as.formula(formula), rdata, weights, offset)
    r <- if (family == "negative-binomial") reference_nb(d, link) else
      reference_glm(d, r_family(family, link, power))
    got <- fit("--residuals", "residuals.csv", "--out", "model.safetensors")
    same("converged", got$converged, TRUE)
    check_summary(got, r, names)
    if (family == "negative-binomial") {
      near("theta", got$theta, r$theta, ERROR)
      near("theta_std_error", got$theta_std_error, r$theta_se, ERROR)
    }
    check_rows(r)
    check_predictions(r, file)
    if (family == "tweedie" && power < 2)
      near("log_likelihood", got$log_likelihood, tweedie_likelihood(r, power),
           1e-10)
    r$clusters <- if (!is.null(cluster)) data[[cluster]]
    if (robust) check_robust(r, fit, cluster)
  })
}

# ---- Data ----

have_mass <- requireNamespace("MASS", quietly = TRUE)
mass <- function(name) plain(getExportedValue("MASS", name))
if (!have_mass) cat("SKIP data_of_MASS: the package is not installed\n")

infert1 <- plain(infert)
warp <- plain(warpbreaks)
cars1 <- plain(mtcars)
air <- plain(na.omit(airquality))
tooth <- plain(ToothGrowth)
chick <- plain(chickwts)
plants <- plain(PlantGrowth)
sprays <- plain(InsectSprays)
esoph1 <- plain(esoph)
esoph1$all <- esoph1$ncases + esoph1$ncontrols
esoph1$share <- esoph1$ncases / esoph1$all
trees1 <- plain(trees)
air$w <- rep_len(c(1, 2, 0.5, 3, 0), nrow(air))
warp$o <- rep_len(c(0.1, -0.2, 0, 0.3), nrow(warp))
warp$w <- rep_len(c(1, 2, 3), nrow(warp))
infert1$w <- rep_len(c(1, 2, 1, 0, 3), nrow(infert1))
cars1$o <- cars1$qsec / 10

# ---- gaussian ----

compare("gaussian", "identity", "mpg ~ wt + hp", cars1, robust = TRUE,
        cluster = "cyl")
compare("gaussian", "identity", "mpg ~ factor(cyl) * wt", cars1)
compare("gaussian", "identity", "mpg ~ wt + I(wt^2) + log(hp) - 1", cars1)
compare("gaussian", "identity", "mpg ~ (wt + hp + qsec)^2", cars1)
compare("gaussian", "identity", "dist ~ poly(speed, 3, raw = TRUE)",
        plain(cars), names = FALSE)
compare("gaussian", "identity",
        paste("Employed ~ GNP.deflator + GNP + Unemployed + Armed.Forces +",
              "Population + Year"), plain(longley), label = "(longley)")
compare("gaussian", "identity",
        "stack.loss ~ Air.Flow + Water.Temp + Acid.Conc.", plain(stackloss),
        robust = TRUE)
compare("gaussian", "identity",
        paste("Fertility ~ Agriculture + Examination + Education + Catholic +",
              "Infant.Mortality"), plain(swiss))
compare("gaussian", "identity", "y1 ~ x1", plain(anscombe))
compare("gaussian", "identity", "y2 ~ x2 + I(x2^2)", plain(anscombe),
        label = "(all but a perfect fit)")
compare("gaussian", "identity", "weight ~ feed", chick)
compare("gaussian", "identity", "weight ~ group", plants)
compare("gaussian", "identity", "weight ~ 0 + group", plants)
compare("gaussian", "identity", "len ~ supp * dose", tooth, robust = TRUE,
        cluster = "dose")
compare("gaussian", "identity", "len ~ supp / dose", tooth)
compare("gaussian", "identity", "len ~ supp:factor(dose)", tooth,
        label = "(aliased)")
compare("gaussian", "identity", "Sepal.Length ~ Species * Petal.Width",
        plain(iris))
compare("gaussian", "identity", "Ozone ~ Solar.R + Wind + Temp", air,
        weights = "w", robust = TRUE)
compare("gaussian", "identity", "sqrt(Ozone) ~ poly(Temp, 2, raw = TRUE)", air,
        names = FALSE)
compare("gaussian", "identity", "mpg ~ wt + offset(o)", cars1)
compare("gaussian", "identity", "mpg ~ wt", cars1, offset = "o")
compare("gaussian", "identity", "mpg ~ wt + hp + I(wt + hp) + qsec", cars1,
        label = "(aliased)")
compare("gaussian", "identity", "breaks ~ wool %in% tension", warp,
        label = "(aliased)")
compare("gaussian", "log", "Ozone ~ Wind + Temp", air, robust = TRUE)
compare("gaussian", "log", "Volume ~ log(Girth) + log(Height)", trees1)
compare("gaussian", "inverse", "mpg ~ wt + hp", cars1)
compare("gaussian", "inverse", "Volume ~ Girth + Height", trees1,
        label = "(hard)")
compare("gaussian", "sqrt", "mpg ~ wt + hp", cars1)
releveled <- warp
releveled$tension <- relevel(releveled$tension, "M")
compare("gaussian", "identity", "breaks ~ wool * tension", warp,
        rdata = releveled, more = c("--reference", "tension=M"),
        label = "(reference M)")

# ---- binomial ----

for (link in c("logit", "probit", "cloglog", "cauchit")) {
  compare("binomial", link, "case ~ spontaneous + induced", infert1,
          robust = link == "probit", cluster = "stratum")
  compare("binomial", link, "cbind(ncases, ncontrols) ~ agegp", esoph1,
          label = "(counts)")
  compare("binomial", link, "am ~ wt", cars1)
}
compare("binomial", "logit",
        "case ~ age + parity + education + spontaneous + induced", infert1,
        robust = TRUE, cluster = "education")
compare("binomial", "logit", "case ~ education * spontaneous", infert1)
compare("binomial", "logit", "case ~ spontaneous", infert1, weights = "w",
        robust = TRUE)
compare("binomial", "logit", "case ~ spontaneous + offset(log(age))", infert1)
compare("binomial", "log", "case ~ spontaneous", infert1)
compare("binomial", "log", "share ~ alcgp", esoph1, weights = "all",
        label = "(proportions)")
compare("binomial", "identity", "case ~ spontaneous", infert1)
compare("binomial", "logit", "share ~ agegp + alcgp + tobgp", esoph1,
        weights = "all", label = "(proportions)", robust = TRUE)
compare("binomial", "probit", "cbind(ncases, ncontrols) ~ agegp", esoph1,
        text = "ncases ~ agegp", more = c("--trials", "all"),
        label = "(trials)")
compare("binomial", "logit", "case ~ spontaneous + I(2 * spontaneous)",
        infert1, label = "(aliased)")

# ---- poisson ----

for (link in c("log", "identity", "sqrt")) {
  compare("poisson", link, "breaks ~ wool + tension", warp, robust = TRUE,
          cluster = "tension")
  compare("poisson", link, "breaks ~ wool", warp, weights = "w", offset = "o")
}
compare("poisson", "log", "breaks ~ wool * tension", warp)
compare("poisson", "log", "breaks ~ wool:tension - 1", warp)
compare("poisson", "log", "breaks ~ wool:tension", warp, label = "(aliased)")
compare("poisson", "log", "count ~ spray", sprays)
compare("poisson", "sqrt", "count ~ spray", sprays)
compare("poisson", "inverse", "count ~ 1", sprays)
compare("poisson", "identity", "carb ~ hp", cars1)

# ---- gamma, inverse-gaussian, tweedie ----

positive <- list(
  list("Volume ~ Girth + Height", trees1), list("mpg ~ wt", cars1),
  list("weight ~ feed", chick), list("hp ~ wt + factor(gear)", cars1))
for (link in c("inverse", "log", "identity", "sqrt"))
  for (what in positive[if (link %in% c("inverse", "sqrt")) 2:4 else 1:4])
    compare("gamma", link, what[[1]], what[[2]],
            robust = what[[1]] == "mpg ~ wt", cluster = "cyl")
for (link in c("1/mu^2", "inverse", "log", "identity"))
  for (what in positive[2:3])
    compare("inverse-gaussian", link, what[[1]], what[[2]],
            robust = what[[1]] == "mpg ~ wt", cluster = "cyl")
compare("gamma", "log", "Ozone ~ Wind + Temp", air, weights = "w",
        robust = TRUE)
compare("gamma", "log", "mpg ~ wt", cars1, offset = "o")
compare("inverse-gaussian", "log", "Ozone ~ Wind + Temp", air, weights = "w")
compare("tweedie", "log", "count ~ spray", sprays, power = 1.5, robust = TRUE)
compare("tweedie", "log", "breaks ~ wool * tension", warp, power = 1.3,
        weights = "w")
compare("tweedie", "identity", "mpg ~ wt", cars1, power = 2.5)
compare("tweedie", "sqrt", "breaks ~ wool + tension", warp, power = 1.7)

# ---- negative-binomial ----

compare("negative-binomial", "log", "breaks ~ wool * tension", warp)
compare("negative-binomial", "sqrt", "breaks ~ wool + tension", warp)
compare("negative-binomial", "log", "breaks ~ tension", warp, weights = "w",
        offset = "o")

# ---- Data of MASS ----

if (have_mass) {
  quine <- mass("quine")
  ships <- mass("ships")
  ships <- ships[ships$service > 0, ]
  insurance <- mass("Insurance")
  birthwt <- mass("birthwt")
  birthwt$race <- factor(birthwt$race)
  anorexia <- mass("anorexia")
  snails <- mass("snails")
  menarche <- mass("menarche")
  compare("negative-binomial", "log", "Days ~ Eth * Sex + Age", quine)
  compare("negative-binomial", "log", "Days ~ Sex / (Age + Eth * Lrn)", quine,
          label = "(aliased)")
  compare("poisson", "log", "Days ~ Eth * Sex + Age * Lrn", quine,
          robust = TRUE, cluster = "Age", label = "(aliased)")
  compare("poisson", "log",
          paste("incidents ~ type + factor(period) + factor(year) +",
                "offset(log(service))"), ships)
  compare("poisson", "log",
          "Claims ~ factor(District) + Group + Age + offset(log(Holders))",
          insurance)
  compare("binomial", "logit", "low ~ age + lwt + race + smoke + ptl + ht + ui",
          birthwt, text = "low ~ age + lwt + C(race) + smoke + ptl + ht + ui",
          names = FALSE, robust = TRUE, cluster = "ht")
  compare("gaussian", "identity", "Postwt ~ Prewt + Treat + offset(Prewt)",
          anorexia)
  compare("binomial", "logit",
          "cbind(Deaths, N - Deaths) ~ Exposure + Rel.Hum + Temp + Species",
          snails)
  compare("binomial", "cloglog",
          "cbind(Menarche, Total - Menarche) ~ Age", menarche)
  compare("binomial", "cauchit",
          "cbind(Menarche, Total - Menarche) ~ Age", menarche)
  compare("gamma", "log", "time ~ ag + log(wbc)", mass("leuk"), robust = TRUE)
  compare("gaussian", "identity",
          "medv ~ crim + zn + chas + nox + rm + dis + factor(rad) + lstat",
          mass("Boston"), robust = TRUE)
  compare("poisson", "log", "y ~ lbase * trt + lage + V4", mass("epil"),
          robust = TRUE, cluster = "subject")
  compare("gaussian", "identity", "Gas ~ Insul / Temp - 1", mass("whiteside"))
  compare("gaussian", "identity", "loss ~ poly(hard, 2, raw = TRUE) * tens",
          mass("Rubber"), names = FALSE)
}

# ---- ordinal, multinomial, beta ----

compare_ordinal <- function(formula, data, link, weights = NULL) {
  case(paste("glm ordinal", link, formula), {
    file <- write_data(data, "data.csv")
    frame <- model.frame(as.formula(formula), data)
    X <- model.matrix(as.formula(formula), data)[, -1, drop = FALSE]
    y <- as.integer(factor(model.response(frame)))
    w <- if (is.null(weights)) rep(1, length(y)) else data[[weights]]
    # Thresholds of the shares, slopes of 0: where nothing is known yet.
    share <- cumsum(tapply(w, y, sum))[-max(y)] / sum(w)
    start <- c(rep(0, ncol(X)), make.link(link)$linkfun(share))
    r <- reference_ordinal(X, y, w, link, climb_ordinal(X, y, w, link, start))
    more <- if (!is.null(weights)) c("--weights", weights)
    got <- glm_of(file, formula, "ordinal", link, more)
    both <- c(got$coefficients, got$thresholds)
    check_coefficients(both, r$par, r$se)
    k <- length(r$par)
    near("log_likelihood", got$log_likelihood, r$log_likelihood, LIKELIHOOD)
    near("deviance", got$deviance, -2 * r$log_likelihood, LIKELIHOOD)
    near("aic", got$aic, 2 * k - 2 * r$log_likelihood, LIKELIHOOD)
    got <- glm_of(file, formula, "ordinal", link, more, "--std-errors",
                  "observed")
    near("observed", field(c(got$coefficients, got$thresholds), "std_error"),
         r$observed, ERROR)
    if (have_mass) against_polr(both, got, formula, data, link, w)
  })
}

# By optim, from a start at which Newton's steps might go astray.
climb_ordinal <- function(X, y, w, link, start) {
  cdf <- make.link(link)$linkinv
  loss <- function(par) {
    zeta <- c(-Inf, par[ncol(X) + seq_len(max(y) - 1)], Inf)
    eta <- as.vector(X %*% par[seq_len(ncol(X))])
    p <- cdf(zeta[y + 1] - eta) - cdf(zeta[y] - eta)
    if (all(p > 0)) -sum(w * log(p)) else 1e10
  }
  size <- c(1 / pmax(apply(X, 2, sd), 1e-3), rep(1, max(y) - 1))
  for (i in 1:3)
    start <- optim(start, loss, method = "BFGS", control =
                     list(maxit = 500, reltol = 1e-15, parscale = size))$par
  start
}

# polr stops where the likelihood does, which leaves it 1e-3 errors away, and
# sometimes at once.
against_polr <- function(both, got, formula, data, link, w) {
  data$.w <- w
  f <- as.formula(formula)
  f[[2]] <- call("factor", f[[2]])
  method <- if (link == "logit") "logistic" else link
  p <- suppressWarnings(MASS::polr(f, data = data, weights = .w,
                                   method = method, Hess = TRUE))
  estimate <- c(coef(p), p$zeta)
  short <- got$log_likelihood - as.numeric(logLik(p))
  if (short < -1e-9)
    problems <<- c(problems, sprintf("polr is %g nats higher", -short))
  if (short < 1e-5)
    near("polr", field(both, "estimate"), estimate, 1e-2,
         sqrt(diag(vcov(p))))
}

compare_multinomial <- function(formula, data, weights = NULL) {
  case(paste("glm multinomial", formula), {
    file <- write_data(data, "data.csv")
    frame <- model.frame(as.formula(formula), data)
    X <- model.matrix(as.formula(formula), data)
    y <- as.integer(factor(model.response(frame)))
    w <- if (is.null(weights)) rep(1, length(y)) else data[[weights]]
    r <- reference_multinomial(X, y, w)
    more <- if (!is.null(weights)) c("--weights", weights)
    got <- glm_of(file, formula, "multinomial", NULL, more, "--out",
                  "model.safetensors")
    check_coefficients(got$coefficients, r$par, r$se)
    near("log_likelihood", got$log_likelihood, r$log_likelihood, LIKELIHOOD)
    near("deviance", got$deviance, -2 * r$log_likelihood, LIKELIHOOD)
    near("aic", got$aic, 2 * length(r$par) - 2 * r$log_likelihood, LIKELIHOOD)
    rows <- parse_predictions(file)
    k <- seq_len(max(y))
    near("probabilities", as.matrix(rows[2 * k - 1]), r$probabilities, ERROR)
    near("their errors", as.matrix(rows[2 * k]), r$errors, 10 * ERROR)
    if (requireNamespace("nnet", quietly = TRUE)) {
      data$.w <- w
      m <- nnet::multinom(as.formula(formula), data, weights = .w,
                          trace = FALSE, maxit = 1000, reltol = 1e-14)
      near("multinom", field(got$coefficients, "estimate"),
           as.vector(t(coef(m))), 1e-2, r$se)
    }
  })
}

compare_beta <- function(formula, data, link = "logit", weights = NULL) {
  case(paste("glm beta", link, formula), {
    file <- write_data(data, "data.csv")
    d <- design(as.formula(formula), data, weights)
    r <- reference_beta(d, link)
    got <- glm_of(file, formula, "beta", link,
                  if (!is.null(weights)) c("--weights", weights))
    check_coefficients(got$coefficients, r$par, r$se)
    k <- length(r$par)
    near("log_likelihood", got$log_likelihood, r$log_likelihood, LIKELIHOOD)
    near("aic", got$aic, 2 * k - 2 * r$log_likelihood, LIKELIHOOD,
         abs(r$log_likelihood))
    near("df_residual", got$df_residual, nrow(d$X) - k, 0)
  })
}

for (link in c("logit", "probit", "cloglog", "cauchit"))
  compare_ordinal("gear ~ hp + qsec", cars1, link)
if (have_mass) {
  housing <- mass("housing")
  housing$Sat <- match(as.character(housing$Sat), c("Low", "Medium", "High"))
  compare_ordinal("Sat ~ Infl + Type + Cont", housing, "logit", "Freq")
  compare_ordinal("Sat ~ Infl + Type + Cont", housing, "probit", "Freq")
  compare_multinomial("Sat ~ Infl + Type + Cont", housing, "Freq")
}
compare_multinomial("education ~ age + parity + spontaneous", infert1)
compare_multinomial("Species ~ Sepal.Width", plain(iris))
rates <- plain(attitude / 100)
rates$w <- rep_len(c(1, 2, 3), nrow(rates))
compare_beta("rating ~ complaints + learning", rates)
compare_beta("rating ~ complaints * privileges", rates, weights = "w")
for (link in c("probit", "cloglog", "log"))
  compare_beta("rating ~ complaints", rates, link)

# ---- Nested models ----

compare_nested <- function(family, link, small, large, data, test,
                           weights = NULL) {
  case(paste("nested", family, link, small, "in", large), {
    file <- write_data(data, "data.csv")
    more <- if (!is.null(weights)) c("--weights", weights)
    glm_of(file, small, family, link, more, "--out", "a.safetensors")
    glm_of(file, large, family, link, more, "--out", "b.safetensors")
    got <- parse_json(run("compare", "glm", "--nested", "b.safetensors",
                          "a.safetensors", "--json"))
    f <- r_family(family, link)
    a <- reference_glm(design(as.formula(small), data, weights), f)
    b <- reference_glm(design(as.formula(large), data, weights), f)
    df <- a$df - b$df
    drop <- a$deviance - b$deviance
    same("test", got$test, test)
    near("df", got$df, df, 0)
    near("drop", got$deviance, drop, LIKELIHOOD, a$deviance)
    statistic <- if (test == "F") drop / df / b$dispersion else drop
    p <- if (test == "F") pf(statistic, df, b$df, lower.tail = FALSE) else
      pchisq(statistic, df, lower.tail = FALSE)
    near("statistic", got$statistic, statistic, ERROR)
    near("p", got$p_value, p, ERROR * (1 + statistic))
    data$.w <- if (is.null(weights)) rep(1, nrow(data)) else data[[weights]]
    # It warns of rows without weight.
    table <- suppressWarnings(
      anova(glm(as.formula(small), f, data, .w, start = a$beta),
            glm(as.formula(large), f, data, .w, start = b$beta), test = test))
    near("anova", got$p_value, table[[ncol(table)]][2], 1e-5)
  })
}

compare_nested("gaussian", "identity", "mpg ~ wt", "mpg ~ wt + hp", cars1, "F")
compare_nested("gamma", "log", "mpg ~ wt", "mpg ~ wt * hp", cars1, "F")
compare_nested("poisson", "log", "breaks ~ wool", "breaks ~ wool * tension",
               warp, "Chisq")
compare_nested("binomial", "logit", "case ~ spontaneous",
               "case ~ spontaneous + induced + education", infert1, "Chisq")
compare_nested("inverse-gaussian", "log", "Ozone ~ Wind", "Ozone ~ Wind + Temp",
               air, "F", "w")

# ---- Profile intervals ----

# Where the deviance has risen by the quantile, by root-finding over fits; with
# an estimated dispersion the quantile of F, where MASS has chi-square's.
compare_profile <- function(family, link, formula, data) {
  case(paste("profile", family, link, formula), {
    file <- write_data(data, "data.csv")
    got <- glm_of(file, formula, family, link, "--intervals", "profile")
    d <- design(as.formula(formula), data)
    f <- r_family(family, link)
    r <- reference_glm(d, f)
    for (j in seq_along(r$beta)) {
      rise <- function(b) {
        e <- d
        e$offset <- d$offset + d$X[, j] * b
        X <- d$X[, -j, drop = FALSE]
        eta <- e$offset + X %*% polish(X, e, f, r$beta[-j])
        (sum(f$dev.resids(d$y, f$linkinv(as.vector(eta)), d$w)) - r$deviance) /
          r$dispersion - qf(0.95, 1, if (r$free) r$df else Inf)
      }
      end <- function(side)
        uniroot(rise, r$beta[j] + side * c(0.5, 4) * r$se[j],
                tol = 1e-12 * r$se[j])$root
      near("lower", field(got$coefficients[j], "lower"), end(-1), 1e-7, r$se[j])
      near("upper", field(got$coefficients[j], "upper"), end(1), 1e-7, r$se[j])
    }
  })
}

compare_profile("poisson", "log", "breaks ~ wool + tension", warp)
compare_profile("binomial", "logit", "case ~ spontaneous + induced", infert1)
compare_profile("binomial", "cloglog", "case ~ spontaneous", infert1)
compare_profile("gamma", "log", "mpg ~ wt", cars1)

# ---- Many rows ----

# Enough for a start from a share of them, and a Fisher in single precision.
compare_large <- function(family, link, draw) {
  case(paste("glm", family, link, "of 130000 rows"), {
    set.seed(1)
    n <- 130000
    data <- data.frame(x = runif(n), f = sample(letters[1:15], n, TRUE))
    data$y <- draw(data$x - match(data$f, letters) / 10)
    data <- plain(data)
    r <- reference_glm(design(y ~ x + f, data), r_family(family, link))
    got <- glm_of(write_data(data, "data.csv"), "y ~ x + f", family, link)
    check_summary(got, r, TRUE)
  })
}

compare_large("poisson", "log", function(eta) rpois(length(eta), exp(eta)))
compare_large("binomial", "cloglog", function(eta)
  rbinom(length(eta), 1, -expm1(-exp(eta))))

# ---- Dispersion ----

compare_dispersion <- function(family, formula, data, ml) {
  case(paste("dispersion", family, formula), {
    file <- write_data(data, "data.csv")
    r <- reference_glm(design(as.formula(formula), data),
                       r_family(family, "log"))
    for (kind in c("deviance", "ml")) {
      got <- glm_of(file, formula, family, "log", "--dispersion", kind,
                    "--level", "0.8")
      phi <- if (kind == "ml") ml(r) else r$deviance / r$df
      se <- r$se * sqrt(phi / r$dispersion)
      near(kind, got$dispersion, phi, ERROR)
      near("std_error", field(got$coefficients, "std_error"), se, ERROR)
      near("lower", field(got$coefficients, "lower"),
           r$beta - qt(0.9, r$df) * se, ERROR, abs(r$beta) + se)
      near("log_likelihood", got$log_likelihood, r$log_likelihood, LIKELIHOOD)
    }
  })
}

mean_deviance <- function(r) r$deviance / length(r$mu)
compare_dispersion("gaussian", "mpg ~ wt", cars1, mean_deviance)
compare_dispersion("inverse-gaussian", "mpg ~ wt", cars1, mean_deviance)
# 2 (log a - digamma a) = the mean deviance, a = 1 / phi; as MASS's gamma.shape.
compare_dispersion("gamma", "mpg ~ wt", cars1, function(r)
  exp(uniroot(function(l) 2 * (-l - digamma(exp(-l))) - mean_deviance(r),
              c(-20, 3), tol = 1e-14)$root))

# ---- Separation ----

# R calls such fits converged.
compare_separated <- function(formula, data, kind, family = "binomial") {
  case(paste("separation", formula), {
    file <- write_data(data, "data.csv")
    status <- system2(natgrad, shQuote(c(
      "glm", file, "--formula", formula, "--family", family, "--json",
      "--quiet")), stdout = "out", stderr = "err")
    same("status", as.numeric(status), 1)
    got <- parse_json(paste(readLines("out"), collapse = "\n"))
    same("kind", got$separation$kind, kind)
    same("converged", got$converged, FALSE)
  })
}

flowers <- plain(iris)
flowers$setosa <- as.numeric(flowers$Species == "setosa")
compare_separated("setosa ~ Petal.Length", flowers, "complete")
compare_separated("am ~ factor(gear) + qsec", cars1, "quasi")
compare_separated("y ~ group", data.frame(y = c(0, 0, 0, 2, 3, 1),
                                          group = c(0, 0, 0, 1, 1, 1)),
                  "quasi", "poisson")

cat(cases, "comparisons,", failures, "failed\n")
quit(status = failures > 0)

# Fits to compare with, good to about twelve digits: R's glm.fit begins, and
# Newton steps on the analytic score finish, since glm stops on the deviance.
# What R has no family for is written out from its likelihood.

# ---- Solving ----

# Central differences with one step of Richardson's, by columns.
derivative <- function(score, par, size) {
  columns <- lapply(seq_along(par), function(j) {
    central <- function(h) {
      up <- down <- par
      up[j] <- par[j] + h
      down[j] <- par[j] - h
      (score(up) - score(down)) / (up[j] - down[j])
    }
    (4 * central(size[j] / 2) - central(size[j])) / 3
  })
  do.call(cbind, columns)
}

solve_score <- function(par, score, se) {
  for (i in 1:25) {
    step <- solve(derivative(score, par, 1e-3 * se), score(par))
    par <- par - step
    if (max(abs(step) / se) < 1e-14) break
  }
  par
}

# ---- One predictor ----

r_family <- function(family, link, power = NULL, theta = NULL) {
  link <- make.link(link)
  switch(family,
    gaussian = gaussian(link), binomial = binomial(link),
    poisson = poisson(link), gamma = Gamma(link),
    "inverse-gaussian" = inverse.gaussian(link),
    tweedie = power_family(power, link),
    "negative-binomial" = fixed_theta(theta, link))
}

# Var = phi mu^p (Jorgensen 1997), p not 1 or 2.
power_family <- function(p, link) {
  structure(list(
    family = "tweedie", link = link$name, linkfun = link$linkfun,
    linkinv = link$linkinv, mu.eta = link$mu.eta, valideta = link$valideta,
    validmu = function(mu) all(mu > 0), variance = function(mu) mu^p,
    dev.resids = function(y, mu, wt)
      2 * wt * (y^(2 - p) / (1 - p) / (2 - p) - y * mu^(1 - p) / (1 - p) +
                  mu^(2 - p) / (2 - p)),
    initialize = expression({
      mustart <- y + 0.1 * mean(y)
      n <- rep(1, nobs)
    }),
    aic = function(y, n, mu, wt, dev) NA), class = "family")
}

fixed_theta <- function(theta, link) {
  structure(list(
    family = "negative", link = link$name, linkfun = link$linkfun,
    linkinv = link$linkinv, mu.eta = link$mu.eta, valideta = link$valideta,
    validmu = function(mu) all(mu > 0),
    variance = function(mu) mu + mu^2 / theta,
    dev.resids = function(y, mu, wt)
      2 * wt * (y * log(pmax(1, y) / mu) -
                  (y + theta) * log((y + theta) / (mu + theta))),
    initialize = expression({
      mustart <- y + (y == 0) / 6
      n <- rep(1, nobs)
    }),
    aic = function(y, n, mu, wt, dev)
      -2 * sum(wt * dnbinom(y, size = theta, mu = mu, log = TRUE))),
    class = "family")
}

# What a formula makes of data: columns that others are combinations of are
# found without weights, so that they do not depend on the tolerance of a fit.
design <- function(formula, data, weights = NULL, offset = NULL) {
  frame <- model.frame(formula, data, na.action = na.pass)
  X <- model.matrix(attr(frame, "terms"), frame)
  y <- model.response(frame)
  o <- model.offset(frame)
  n <- nrow(X)
  decomposition <- qr(X, tol = 1e-9)
  kept <- sort(decomposition$pivot[seq_len(decomposition$rank)])
  w <- if (is.null(weights)) rep(1, n) else data[[weights]]
  trials <- rep(1, n)
  if (is.matrix(y)) {
    trials <- rowSums(y)
    y <- ifelse(trials > 0, y[, 1] / trials, 0)
    w <- w * trials
  }
  list(full = X, X = X[, kept, drop = FALSE], kept = kept, y = as.vector(y),
       w = w, trials = trials,
       offset = (if (is.null(o)) 0 else o) +
         (if (is.null(offset)) rep(0, n) else data[[offset]]),
       has_offset = !is.null(o) || !is.null(offset),
       intercept = attr(attr(frame, "terms"), "intercept") > 0)
}

eta_score <- function(eta, d, family) {
  mu <- family$linkinv(eta)
  ifelse(d$w > 0,
         d$w * (d$y - mu) * family$mu.eta(eta) / family$variance(mu), 0)
}

# The best of what glm.fit makes of several starts; not all get anywhere.
first_fit <- function(X, d, family) {
  use <- d$w > 0
  control <- glm.control(epsilon = 1e-14, maxit = 100)
  try_fit <- function(...) tryCatch(suppressWarnings(glm.fit(
    X[use, , drop = FALSE], d$y[use], d$w[use], offset = d$offset[use],
    family = family, control = control, intercept = d$intercept, ...)),
    error = function(e) NULL)
  found <- list(try_fit(), try_fit(
    mustart = rep(weighted.mean(d$y[use], d$w[use]), sum(use))))
  # From a fit that weighs large means less harshly.
  if (!family$family %in% c("quasi", "gaussian", "binomial"))
    found[[3]] <- try_fit(start = first_fit(
      X, d, quasi(make.link(family$link), "mu")))
  found <- Filter(function(f) !is.null(f) && is.finite(f$deviance), found)
  found[[which.min(vapply(found, `[[`, 0, "deviance"))]]$coefficients
}

# Newton's steps in the coordinates of the orthogonal columns.
polish <- function(X, d, family, beta) {
  turned <- qr(X, tol = 0)
  Q <- qr.Q(turned)
  R <- qr.R(turned)
  for (i in 1:25) {
    eta <- as.vector(d$offset + X %*% beta)
    h <- 1e-5 * pmax(abs(eta), 1e-3)
    slope <- (eta_score(eta + h, d, family) - eta_score(eta - h, d, family)) /
      ((eta + h) - (eta - h))
    step <- solve(-crossprod(Q, slope * Q),
                  crossprod(Q, eta_score(eta, d, family)))
    beta <- beta + as.vector(backsolve(R, step)[order(turned$pivot)])
    if (max(abs(step)) < 1e-15 * sqrt(max(abs(d$w * d$y)))) break
  }
  beta
}

null_deviance <- function(d, family) {
  eta <- d$offset
  if (d$intercept && !d$has_offset) {
    mu <- rep(weighted.mean(d$y, d$w), length(d$y))
  } else {
    if (d$intercept) {
      one <- matrix(1, length(d$y), 1)
      eta <- eta + polish(one, d, family, first_fit(one, d, family))
    }
    mu <- family$linkinv(eta)
  }
  sum(family$dev.resids(d$y, mu, d$w))
}

reference_glm <- function(d, family, free = family$family %in%
                            c("gaussian", "Gamma", "inverse.gaussian",
                              "tweedie")) {
  r <- list(d = d, family = family)
  r$beta <- polish(d$X, d, family, first_fit(d$X, d, family))
  finish_glm(r, free)
}

# R's definitions at given coefficients.
finish_glm <- function(r, free) {
  d <- r$d
  family <- r$family
  used <- sum(d$w > 0)
  p <- ncol(d$X)
  r$eta <- as.vector(d$offset + d$X %*% r$beta)
  r$mu <- family$linkinv(r$eta)
  r$slope <- family$mu.eta(r$eta)
  v <- family$variance(r$mu)
  half <- qr(sqrt(d$w / v) * r$slope * d$X, tol = 0)
  back <- order(half$pivot)
  r$bread <- chol2inv(qr.R(half))[back, back, drop = FALSE]
  r$df <- used - p
  r$free <- free
  r$dispersion <- if (free) sum(d$w * (d$y - r$mu)^2 / v) / r$df else 1
  r$covariance <- r$dispersion * r$bread
  r$se <- sqrt(diag(r$covariance))
  lost <- family$dev.resids(d$y, r$mu, d$w)
  r$deviance <- sum(lost)
  r$null <- null_deviance(d, family)
  k <- p + free
  on <- d$w > 0
  r$aic <- family$aic(d$y[on], d$trials[on], r$mu[on], d$w[on], r$deviance) +
    2 * p
  r$log_likelihood <- k - r$aic / 2
  r$bic <- k * log(used) - 2 * r$log_likelihood
  h <- rowSums(qr.Q(half)^2)
  pearson <- (d$y - r$mu) * sqrt(d$w / v)
  signed <- sign(d$y - r$mu) * sqrt(lost)
  r$rows <- data.frame(
    fitted = r$mu, link = r$eta, response = d$y - r$mu, pearson = pearson,
    deviance = signed, std_pearson = pearson / sqrt(r$dispersion * (1 - h)),
    std_deviance = signed / sqrt(r$dispersion * (1 - h)), leverage = h,
    cook = (pearson / (1 - h))^2 * h / (r$dispersion * p))
  r
}

# vcovHC and, with clusters, vcovCL of package sandwich.
sandwich <- function(r, kind, cluster = NULL) {
  scores <- eta_score(r$eta, r$d, r$family) * r$d$X
  used <- sum(r$d$w > 0)
  free <- 1 - r$rows$leverage
  factor <- if (kind == "HC1") used / r$df else 1
  if (!is.null(cluster)) {
    scores <- rowsum(scores, cluster)
    factor <- nrow(scores) / (nrow(scores) - 1)
  }
  if (kind == "HC2") scores <- scores / sqrt(free)
  if (kind == "HC3") scores <- scores / free
  sqrt(factor * diag(r$bread %*% crossprod(scores) %*% r$bread))
}

# Errors by the Hessian of the loss.
observed_errors <- function(r) {
  h <- 1e-4 * pmax(abs(r$eta), 1e-2)
  central <- function(h)
    (eta_score(r$eta + h, r$d, r$family) -
       eta_score(r$eta - h, r$d, r$family)) / ((r$eta + h) - (r$eta - h))
  slope <- (4 * central(h / 2) - central(h)) / 3
  half <- qr(sqrt(r$d$w) * r$d$X, tol = 0)
  Q <- qr.Q(half)
  inner <- solve(-crossprod(Q, slope / r$d$w * Q))
  back <- backsolve(qr.R(half), diag(ncol(Q)))[order(half$pivot), ]
  sqrt(r$dispersion * diag(back %*% inner %*% t(back)))
}

# A Poisson number of gamma variates (Jorgensen 1997), 1 < p < 2; weights and
# dispersion as those of Gamma()$aic.
tweedie_likelihood <- function(r, p) {
  phi <- r$deviance / sum(r$d$w)
  rate <- r$mu^(2 - p) / (2 - p) / phi
  scale <- phi * (p - 1) * r$mu^(p - 1)
  n <- 1:2000
  sum(r$d$w * mapply(function(y, rate, scale) {
    if (y == 0) return(-rate)
    terms <- dpois(n, rate, log = TRUE) +
      dgamma(y, n * (2 - p) / (p - 1), scale = scale, log = TRUE)
    max(terms) + log(sum(exp(terms - max(terms))))
  }, r$d$y, rate, scale))
}

# ---- Families with parameters beside the mean ----

# As MASS::glm.nb, at the joint maximum.
reference_nb <- function(d, link) {
  theta_score <- function(th, mu)
    sum(d$w * (digamma(th + d$y) - digamma(th) + log(th) + 1 - log(th + mu) -
                 (d$y + th) / (mu + th)))
  p <- ncol(d$X)
  beta <- first_fit(d$X, d, poisson(make.link(link)))
  theta <- 5
  for (i in 1:30) {
    mu <- make.link(link)$linkinv(as.vector(d$offset + d$X %*% beta))
    theta <- exp(uniroot(function(l) theta_score(exp(l), mu), c(-8, 12),
                         tol = 1e-10)$root)
    beta <- polish(d$X, d, fixed_theta(theta, make.link(link)), beta)
  }
  score <- function(par) {
    family <- fixed_theta(exp(par[p + 1]), make.link(link))
    eta <- as.vector(d$offset + d$X %*% par[1:p])
    th <- exp(par[p + 1])
    c(crossprod(d$X, eta_score(eta, d, family)),
      th * theta_score(th, family$linkinv(eta)))
  }
  family <- fixed_theta(theta, make.link(link))
  rough <- finish_glm(list(d = d, family = family, beta = beta), FALSE)
  par <- solve_score(c(beta, log(theta)), score, c(rough$se, 0.1))
  theta <- exp(par[p + 1])
  r <- finish_glm(list(d = d, family = fixed_theta(theta, make.link(link)),
                       beta = par[1:p]), FALSE)
  r$theta <- theta
  # theta.ml's, which holds the means.
  information <- sum(d$w * (trigamma(theta) - trigamma(theta + d$y) -
                              1 / theta + 2 / (r$mu + theta) -
                              (d$y + theta) / (r$mu + theta)^2))
  r$theta_se <- 1 / sqrt(information)
  r$aic <- 2 * (p + 1) - 2 * r$log_likelihood
  r$bic <- (p + 1) * log(sum(d$w > 0)) - 2 * r$log_likelihood
  r
}

# P(y <= k) = F(zeta_k - x beta); parameters beta, zeta. Solved in columns of
# mean 0 and spread 1: C has par = C (their parameters).
reference_ordinal <- function(X, y, w, link, start) {
  C <- diag(length(start))
  middle <- colMeans(X)
  size <- apply(X, 2, sd)
  for (j in seq_len(ncol(X))) {
    C[j, j] <- 1 / size[j]
    C[-seq_len(ncol(X)), j] <- middle[j] / size[j]
  }
  r <- standard_ordinal(t((t(X) - middle) / size), y, w, link,
                        solve(C, start))
  errors <- function(V) sqrt(diag(C %*% V %*% t(C)))
  list(par = as.vector(C %*% r$par), se = errors(r$expected),
       observed = errors(r$observed), log_likelihood = r$log_likelihood)
}

standard_ordinal <- function(X, y, w, link, start) {
  cdf <- list(logit = plogis, probit = pnorm, cauchit = pcauchy,
              cloglog = function(x) -expm1(-exp(x)))[[link]]
  pdf <- list(logit = dlogis, probit = dnorm, cauchit = dcauchy,
              cloglog = function(x) exp(x - exp(x)))[[link]]
  levels <- max(y)
  p <- ncol(X)
  parts <- function(par) {
    eta <- if (p) as.vector(X %*% par[1:p]) else rep(0, length(y))
    zeta <- par[p + seq_len(levels - 1)]
    at <- outer(-eta, zeta, "+")
    list(F = cbind(0, cdf(at), 1), f = cbind(0, pdf(at), 0))
  }
  pick <- function(m, k) m[cbind(seq_along(y), k)]
  probability <- function(par) {
    q <- parts(par)
    pick(q$F, y + 1) - pick(q$F, y)
  }
  # d P_k / d par, n x parameters.
  slope <- function(q, k) {
    up <- pick(q$f, k + 1)
    down <- pick(q$f, k)
    out <- matrix(0, length(y), p + levels - 1)
    if (p) out[, 1:p] <- -(up - down) * X
    for (j in seq_len(levels - 1))
      out[, p + j] <- up * (k == j) - down * (k == j + 1)
    out
  }
  score <- function(par)
    colSums(w / probability(par) * slope(parts(par), y))
  information <- function(par) {
    q <- parts(par)
    Reduce(`+`, lapply(1:levels, function(k) {
      J <- slope(q, rep(k, length(y)))
      crossprod(J, w / (q$F[, k + 1] - q$F[, k]) * J)
    }))
  }
  se <- sqrt(diag(solve(information(start))))
  par <- solve_score(start, score, se)
  list(par = par, expected = solve(information(par)),
       observed = solve(-derivative(score, par, 3e-3 * se)),
       log_likelihood = sum(w * log(probability(par))))
}

# Levels but the first against it; parameters by level.
reference_multinomial <- function(X, y, w) {
  levels <- max(y)
  p <- ncol(X)
  Y <- outer(y, 2:levels, "==") + 0
  probabilities <- function(par) {
    E <- exp(cbind(0, X %*% matrix(par, p)))
    E / rowSums(E)
  }
  score <- function(par)
    as.vector(crossprod(X, w * (Y - probabilities(par)[, -1, drop = FALSE])))
  information <- function(par) {
    P <- probabilities(par)[, -1, drop = FALSE]
    blocks <- lapply(seq_len(levels - 1), function(a) {
      do.call(cbind, lapply(seq_len(levels - 1), function(b)
        crossprod(X, w * P[, a] * ((a == b) - P[, b]) * X)))
    })
    do.call(rbind, blocks)
  }
  par <- rep(0, p * (levels - 1))
  for (i in 1:50) par <- par + solve(information(par), score(par), tol = 1e-25)
  P <- probabilities(par)
  V <- solve(information(par), tol = 1e-25)
  slopes <- derivative(function(b) as.vector(probabilities(b)), par,
                       rep(3e-3 / apply(abs(X), 2, max), levels - 1))
  list(par = par, se = sqrt(diag(V)), probabilities = P,
       errors = matrix(sqrt(rowSums((slopes %*% V) * slopes)), nrow(X)),
       log_likelihood = sum(w * log(P[cbind(seq_along(y), y)])))
}

# Ferrari & Cribari-Neto (2004); parameters beta, phi.
reference_beta <- function(d, link) {
  link <- make.link(link)
  p <- ncol(d$X)
  score <- function(par) {
    phi <- par[p + 1]
    eta <- as.vector(d$offset + d$X %*% par[1:p])
    mu <- link$linkinv(eta)
    gap <- log(d$y / (1 - d$y)) - digamma(mu * phi) + digamma((1 - mu) * phi)
    c(crossprod(d$X, d$w * phi * gap * link$mu.eta(eta)),
      sum(d$w * (mu * gap + log(1 - d$y) - digamma((1 - mu) * phi) +
                   digamma(phi))))
  }
  information <- function(par) {
    phi <- par[p + 1]
    eta <- as.vector(d$offset + d$X %*% par[1:p])
    mu <- link$linkinv(eta)
    a <- trigamma(mu * phi)
    b <- trigamma((1 - mu) * phi)
    s <- link$mu.eta(eta)
    cross <- crossprod(d$X, d$w * phi * (mu * a - (1 - mu) * b) * s)
    rbind(cbind(crossprod(d$X, d$w * phi^2 * (a + b) * s^2 * d$X), cross),
          c(cross, sum(d$w * (a * mu^2 + b * (1 - mu)^2 - trigamma(phi)))))
  }
  start <- qr.solve(d$X, link$linkfun(d$y) - d$offset)
  mu <- link$linkinv(as.vector(d$offset + d$X %*% start))
  par <- c(start, mean(mu * (1 - mu)) / mean((d$y - mu)^2))
  for (i in 1:40) par <- par + solve(information(par), score(par))
  se <- sqrt(diag(solve(information(par))))
  par <- solve_score(par, score, se)
  mu <- link$linkinv(as.vector(d$offset + d$X %*% par[1:p]))
  list(par = par, se = sqrt(diag(solve(information(par)))),
       log_likelihood = sum(d$w * dbeta(d$y, mu * par[p + 1],
                                        (1 - mu) * par[p + 1], log = TRUE)))
}

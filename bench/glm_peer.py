"""One fit by a Python peer, of data in memory.

    glm_peer.py X.bin y.bin ROWS COLUMNS FAMILY METHOD TOLERANCE OUT

METHOD is statsmodels, newton-cholesky or lbfgs. Prints seconds, iterations and
by how much the process grew; OUT receives the coefficients, the intercept
first, and standard errors where the peer has them.
"""

import sys
import time
import warnings

import numpy as np


def status_bytes(key):
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith(key):
                return 1024 * int(line.split()[1])
    return 0


def forget_peak():
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def statsmodels(X, y, family, tolerance):
    import statsmodels.api as sm
    families = {"binomial": sm.families.Binomial,
                "poisson": sm.families.Poisson}
    model = sm.GLM(y, X, family=families[family]())
    fit = model.fit(maxiter=100, tol=tolerance, tol_criterion="deviance")
    return np.concatenate([fit.params, fit.bse]), fit.fit_history["iteration"]


def sklearn(X, y, family, solver, tolerance):
    from sklearn.linear_model import LogisticRegression, PoissonRegressor
    if family == "binomial":
        model = LogisticRegression(penalty=None, solver=solver, tol=tolerance,
                                   max_iter=10000)
    else:
        model = PoissonRegressor(alpha=0, solver=solver, tol=tolerance,
                                 max_iter=10000)
    model.fit(X, y)
    beta = np.append(np.ravel(model.intercept_), np.ravel(model.coef_))
    return beta, int(np.ravel(model.n_iter_)[0])


def main():
    x_path, y_path, rows, columns, family, method, tolerance, out = sys.argv[1:]
    rows, columns, tolerance = int(rows), int(columns), float(tolerance)
    X = np.fromfile(x_path).reshape(columns, rows).T
    y = np.fromfile(y_path)
    if method == "statsmodels":
        X = np.column_stack([np.ones(rows), X])

        def run(X, y):
            return statsmodels(X, y, family, tolerance)
    else:
        X = np.ascontiguousarray(X)

        def run(X, y):
            return sklearn(X, y, family, method, tolerance)
    warnings.simplefilter("ignore")
    # What is imported and compiled at the first call is not the fit.
    few = min(rows, 20 * (columns + 1))
    run(X[:few], y[:few])
    forget_peak()
    resident = status_bytes("VmRSS:")
    start = time.perf_counter()
    values, iterations = run(X, y)
    seconds = time.perf_counter() - start
    values.tofile(out)
    print(f"seconds\t{seconds:.6f}\niterations\t{iterations}\n"
          f"grown\t{status_bytes('VmHWM:') - resident}")


if __name__ == "__main__":
    main()

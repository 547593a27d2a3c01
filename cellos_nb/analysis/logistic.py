"""The four-parameter log-logistic with its plateaus projected out: what two parameters leave unexplained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellos_nb.analysis.bounded import held_plateaus, project_bounded
from cellos_nb.analysis.curves import Array, CurveBatch

_MAX_LOGIT = 300.0
"""Beyond this a logistic is 0 or 1 to the last digit of its square."""
_TINY = 1e-290


@dataclass(frozen=True, slots=True)
class Projection:
    """The best plateaus for given (log EC50, log Hill), and how the residuals change with those two.

    Variable projection after Kaufman: the plateaus are a linear regression on the logistic and follow the other two.
    Source: Golub & Pereyra 1973, doi:10.1137/0710036; Kaufman 1975, doi:10.1007/BF01932995.
    """

    values: Array
    """Shape (11, K), in the order of the properties."""

    @property
    def rss(self) -> Array:
        """Residual sum of squares of the dose means."""
        row: Array = self.values[0]
        return row

    @property
    def at_zero(self) -> Array:
        """Plateau at dose zero, less the curve's centre."""
        row: Array = self.values[1]
        return row

    @property
    def at_infinity(self) -> Array:
        """Plateau at infinite dose, less the curve's centre."""
        row: Array = self.values[2]
        return row

    @property
    def gradient(self) -> Array:
        """Of half the rss, by log EC50 and by log Hill; shape (2, K)."""
        return self.values[3:5]

    @property
    def curvature(self) -> Array:
        """Gauss-Newton second derivatives: (EC50, EC50), (EC50, Hill), (Hill, Hill); shape (3, K)."""
        return self.values[5:8]

    @property
    def exact_curvature(self) -> Array:
        """The same with what the residuals add: not always positive, but Newton's steps converge in a handful."""
        return self.values[8:11]


def project(batch: CurveBatch, log_ec50: Array, log_hill: Array) -> Projection:
    """The best plateaus, within their bounds if the curves have any, and derivatives with the plateaus following."""
    free = _project_free(batch, log_ec50, log_hill)
    if batch.plateaus is None:
        return free
    lower, upper = np.minimum(free.at_zero, free.at_infinity), np.maximum(free.at_zero, free.at_infinity)
    limits = batch.plateaus
    is_out = (lower < limits[0]) | (lower > limits[1]) | (upper < limits[2]) | (upper > limits[3])
    which = np.flatnonzero(is_out)
    if which.size:
        free.values[:, which] = project_bounded(batch.take(which), log_ec50[which], log_hill[which])
    return free


def _project_free(batch: CurveBatch, log_ec50: Array, log_hill: Array) -> Projection:
    """Plateaus by linear regression on the logistic."""
    weight, y, total = batch.weight, batch.mean, batch.total_weight
    # The side of the logistic that is small where the doses are keeps its digits.
    is_rising = 2 * log_ec50 > batch.low + batch.high
    side = np.where(is_rising, 1.0, -1.0)
    slope = side * np.exp(log_hill)
    logit = np.clip(slope * (batch.log_dose - log_ec50) + side * batch.shift, -_MAX_LOGIT, _MAX_LOGIT)
    v = 1.0 / (1.0 + np.exp(-logit))
    q = v * (1.0 - v)
    q_logit = q * logit
    bend = q * (1.0 - 2.0 * v)
    mean_v = _dot(weight, v) / total
    v -= mean_v
    wv = weight * v
    sxx = _dot(wv, v)
    can_fit = sxx > _TINY
    sxx = np.where(can_fit, sxx, 1.0)
    beta = np.where(can_fit, _dot(wv, y) / sxx, 0.0)
    residual = y - beta * v
    w_residual = weight * residual
    by_logit, along_q = _project_out(q, (weight, wv, v), sxx, total)
    by_hill, along_hill = _project_out(q_logit, (weight, wv, v), sxx, total)
    pull_q, pull_hill = _dot(w_residual, q), _dot(w_residual, q_logit)
    w_logit = weight * by_logit
    values = np.empty((11, batch.n_curves))
    near, far = -beta * mean_v, beta * (1.0 - mean_v)
    values[0] = _dot(w_residual, residual)
    values[1] = np.where(is_rising, near, far)
    values[2] = np.where(is_rising, far, near)
    values[3] = beta * slope * pull_q
    values[4] = -beta * pull_hill
    square, steep = beta**2, -slope
    values[5] = square * steep**2 * _dot(w_logit, by_logit)
    values[6] = square * steep * _dot(w_logit, by_hill)
    values[7] = square * np.einsum("mk,mk,mk->k", weight, by_hill, by_hill)
    # What Gauss and Newton leave out: the bend of the logistic, and how the span of the plateaus gives way.
    w_bend = w_residual * bend
    bend_logit = w_bend * logit
    second_ec50 = steep**2 * w_bend.sum(axis=0)
    second_both = steep * (pull_q + bend_logit.sum(axis=0))
    second_hill = pull_hill + _dot(bend_logit, logit)
    pull_ec50, along_ec50 = steep * pull_q, steep * along_q
    values[8] = values[5] + beta * (2 * along_ec50 * pull_ec50 - second_ec50) - pull_ec50**2 / sxx
    values[9] = (
        values[6] + beta * (along_ec50 * pull_hill + along_hill * pull_ec50 - second_both) - pull_ec50 * pull_hill / sxx
    )
    values[10] = values[7] + beta * (2 * along_hill * pull_hill - second_hill) - pull_hill**2 / sxx
    return Projection(values)


def project_hill(batch: CurveBatch, log_ec50: Array, log_hill: Array) -> Array:
    """The rss, its half gradient by log Hill and its Gauss-Newton curvature at held EC50s; shape (3, K).

    What `project` gives in rows 0, 4 and 7, at less than half of its cost.
    """
    if batch.plateaus is not None:
        return project(batch, log_ec50, log_hill).values[[0, 4, 7]]
    weight, total = batch.weight, batch.total_weight
    side = np.where(2 * log_ec50 > batch.low + batch.high, 1.0, -1.0)
    logit = batch.log_dose - log_ec50
    logit *= side * np.exp(log_hill)
    logit += side * batch.shift
    np.clip(logit, -_MAX_LOGIT, _MAX_LOGIT, out=logit)
    v = np.exp(-logit)
    v += 1.0
    np.reciprocal(v, out=v)
    logit *= v
    logit *= 1.0 - v
    v -= _dot(weight, v) / total
    wv = weight * v
    sxx = _dot(wv, v)
    can_fit = sxx > _TINY
    sxx = np.where(can_fit, sxx, 1.0)
    beta = np.where(can_fit, _dot(wv, batch.mean) / sxx, 0.0)
    by_hill = _project_out(logit, (weight, wv, v), sxx, total)[0]
    v *= -beta
    v += batch.mean
    w_residual = np.multiply(weight, v, out=wv)
    # The residual is orthogonal to what was projected out.
    pull = _dot(w_residual, by_hill)
    return np.stack([_dot(w_residual, v), -beta * pull, beta**2 * np.einsum("mk,mk,mk->k", weight, by_hill, by_hill)])


def _dot(left: Array, right: Array) -> Array:
    """Sums of products over the doses, shape (K,)."""
    total: Array = np.einsum("mk,mk->k", left, right)
    return total


def _project_out(
    column: Array, regression: tuple[Array, Array, Array], sxx: Array, total: Array
) -> tuple[Array, Array]:
    """What a column has beyond a constant and the logistic, and its slope on the logistic.

    `regression` is (weight, weight * v, v).
    """
    weight, wv, v = regression
    column = column - _dot(weight, column) / total
    along: Array = _dot(wv, column) / sxx
    column -= along * v
    return column, along


def log_logistic(dose: Array, ec50: float, hill: float, lower: float, upper: float) -> Array:
    """The four-parameter log-logistic at doses of zero and above.

    f(x) = lower + (upper − lower) / (1 + exp(hill·(ln x − ln ec50))).

    Source: Ritz et al. 2015, doi:10.1371/journal.pone.0146021, equation 2 (LL.4).
    """
    with np.errstate(divide="ignore", over="ignore"):
        logit = hill * (np.log(np.asarray(dose, dtype=np.float64)) - np.log(ec50))
        # From the nearer plateau, so that one far away takes no digits.
        from_upper, from_lower = 1.0 / (1.0 + np.exp(-logit)), 1.0 / (1.0 + np.exp(logit))
    response: Array = np.where(logit < 0, upper - (upper - lower) * from_upper, lower + (upper - lower) * from_lower)
    return response


def covariance(batch: CurveBatch, *, ec50: Array, hill: Array, at_zero: Array, at_infinity: Array, rss: Array) -> Array:
    """Covariance of (plateau at zero, plateau at infinity, Hill, EC50) by the delta method, shape (K, 4, 4).

    From the observed information (all second derivatives), as `drc` has it, where that is positive definite; from
    the expected information elsewhere; NaN where neither can be inverted. A plateau that lies on its bound is taken as
    known: the others' errors are those given it, its own is NaN. `rss` includes the replicates' spread.
    """
    slope = hill
    u = np.where(batch.shift < 0, 0.0, batch.log_dose - np.log(ec50))
    logit = np.clip(slope * u + batch.shift, -_MAX_LOGIT, _MAX_LOGIT)
    c = 1.0 / (1.0 + np.exp(-logit))
    q = c * (1.0 - c)
    qq = q * (1.0 - 2.0 * c)
    span = at_infinity - at_zero
    residual = batch.mean - (at_zero + span * c)
    steep = -slope / ec50
    jacobian = np.stack([1.0 - c, c, span * q * u, span * q * steep])
    expected = np.einsum("imk,jmk->kij", jacobian, batch.weight * jacobian)
    second = np.zeros((4, 4, *c.shape))
    second[0, 2], second[1, 2] = -q * u, q * u
    second[0, 3], second[1, 3] = -q * steep, q * steep
    second[2, 2] = span * qq * u**2
    second[2, 3] = span * (qq * u * steep - q / ec50)
    second[3, 3] = span * (qq * steep**2 - q * steep / ec50)
    bent = np.einsum("ijmk,mk->kij", second, batch.weight * residual)
    bent = bent + np.swapaxes(np.triu(bent, 1), 1, 2)
    sigma2 = rss / batch.freedom
    held = held_plateaus(batch, at_zero, at_infinity)
    observed = _inverse(_without(expected - bent, held))
    fallback = np.isnan(observed[:, 2, 2])
    if fallback.any():
        observed[fallback] = _inverse(_without(expected[fallback], held[:, fallback]))
    scaled: Array = observed * sigma2[:, None, None]
    for index in (0, 1):
        scaled[held[index], index] = scaled[held[index], :, index] = np.nan
    return scaled


def _without(information: Array, held: NDArray[np.bool_]) -> Array:
    """The information about the parameters that are not held; `held` is (2, K), for the two plateaus."""
    for index in (0, 1):
        information[held[index], index] = information[held[index], :, index] = 0.0
        information[held[index], index, index] = 1.0
    return information


def _inverse(information: Array) -> Array:
    """Inverses of those matrices that are positive definite to working precision; NaN for the others."""
    diagonal = np.einsum("kii->ki", information)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = information / (scale[:, :, None] * scale[:, None, :])
    usable = (diagonal > 0).all(axis=1) & np.isfinite(scaled).all(axis=(1, 2))
    values = np.full(scaled.shape, np.nan)
    if usable.any():
        eigenvalues = np.linalg.eigvalsh(scaled[usable])
        usable[usable] = eigenvalues[:, 0] > 1e-12
    if usable.any():
        values[usable] = np.linalg.inv(scaled[usable])
    values /= scale[:, :, None] * scale[:, None, :]
    return values

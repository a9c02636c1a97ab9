"""Maximum likelihood in a handful of log parameters, shared by both models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# Value and slope at log parameters.
LogLikelihood = Callable[[Floats], tuple[float, Floats]]

# Log parameters beyond this are a fit that ran away: exp(12) is 160,000 in units of the data's own mean.
_RUNAWAY = 12.0
# Slope per customer at which rounding may stop the search; it is worth far less than the fourth digit of a parameter.
_FLAT = 1e-5


class FitFailed(ValueError):
    """The optimiser found no maximum; the message is the optimiser's own."""


class TooLittleHistory(ValueError):
    """Too few customers or repeat buyers for parameters that mean anything; carries the numbers for the message."""

    def __init__(self, customers: int, needed: int, repeaters: int, needed_repeaters: int) -> None:
        self.customers = customers
        self.needed = needed
        self.repeaters = repeaters
        self.needed_repeaters = needed_repeaters
        super().__init__(
            f"{customers} customers of whom {repeaters} bought again; "
            f"needed are {needed} customers and {needed_repeaters} who bought again"
        )


@dataclass(frozen=True)
class Prior:
    """Normal prior on the log parameters (time and money in units of their mean), worth about one customer.

    Without one the fit diverges at n = 50 or when nobody ever leaves. Switch it off (None) to meet a paper's figures.
    """

    mean: float = 0.0
    sd: float = 2.0


WEAK_PRIOR = Prior()


def maximise(likelihood: LogLikelihood, start: Floats, customers: int, prior: Prior | None) -> Floats:
    """Log parameters of the maximum; the same from the same data. Raises FitFailed.

    BFGS, because scipy's L-BFGS-B hands matrices of four rows to all BLAS threads: on a busy machine ten times slower.
    """
    from scipy.optimize import minimize

    def cost(theta: Floats) -> tuple[float, Floats]:
        value, slope = likelihood(np.clip(theta, -_RUNAWAY, _RUNAWAY))
        if prior is not None:
            away = (theta - prior.mean) / prior.sd
            value, slope = value - 0.5 * float(np.sum(away**2)), slope - away / prior.sd
        return -value / customers, -slope / customers

    found = minimize(cost, start, jac=True, method="BFGS", options={"gtol": 1e-8, "maxiter": 500})
    theta = np.asarray(found.x, dtype=np.float64)
    flat = bool(np.all(np.isfinite(found.jac))) and float(np.max(np.abs(found.jac))) < _FLAT
    if not (found.success or flat) or float(np.max(np.abs(theta))) > _RUNAWAY:
        raise FitFailed(f"{found.message} (log parameters {np.round(theta, 3).tolist()})")
    return theta

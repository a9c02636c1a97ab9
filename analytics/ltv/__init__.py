"""Customer lifetime value: how often a customer will buy again, and for how much."""

from analytics.ltv.bgnbd import BgNbd, PurchaseForecast, fit_bgnbd
from analytics.ltv.gamma_gamma import GammaGamma, fit_gamma_gamma
from analytics.ltv.maximise import FitFailed, Prior, TooLittleHistory

__all__ = [
    "BgNbd",
    "FitFailed",
    "GammaGamma",
    "Prior",
    "PurchaseForecast",
    "TooLittleHistory",
    "fit_bgnbd",
    "fit_gamma_gamma",
]

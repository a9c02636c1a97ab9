"""Churn risk: the chance that an active customer buys nothing within the horizon, learnt from the company's past."""

from analytics.churn.assess import Assessment, assess, days_to_assess
from analytics.churn.drivers import DriverChange, driver_words, drivers_in_words, drivers_that_changed
from analytics.churn.rules import DEFAULT_SIGNALS, ChurnRules, SignalWeight
from analytics.churn.scoring import ChurnModel, Scores, fit_churn_model, score_customers
from analytics.churn.signals import signals_from_facts

__all__ = [
    "DEFAULT_SIGNALS",
    "Assessment",
    "ChurnModel",
    "ChurnRules",
    "DriverChange",
    "Scores",
    "SignalWeight",
    "assess",
    "days_to_assess",
    "driver_words",
    "drivers_in_words",
    "drivers_that_changed",
    "fit_churn_model",
    "score_customers",
    "signals_from_facts",
]

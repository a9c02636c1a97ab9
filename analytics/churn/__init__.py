"""Churn risk: the chance that an active customer buys nothing, or that a contract ends, within the horizon."""

from analytics.churn.assess import Assessment, assess, days_to_assess
from analytics.churn.contract_scores import ContractAssessment, assess_contracts
from analytics.churn.drivers import DriverChange, driver_words, drivers_in_words, drivers_that_changed
from analytics.churn.rules import CONTRACT_SIGNALS, DEFAULT_SIGNALS, ChurnRules, ContractRules, SignalWeight
from analytics.churn.scoring import ChurnModel, Scores, fit_churn_model, score_customers
from analytics.churn.signals import signals_from_facts

__all__ = [
    "CONTRACT_SIGNALS",
    "DEFAULT_SIGNALS",
    "Assessment",
    "ChurnModel",
    "ChurnRules",
    "ContractAssessment",
    "ContractRules",
    "DriverChange",
    "Scores",
    "SignalWeight",
    "assess",
    "assess_contracts",
    "days_to_assess",
    "driver_words",
    "drivers_in_words",
    "drivers_that_changed",
    "fit_churn_model",
    "score_customers",
    "signals_from_facts",
]

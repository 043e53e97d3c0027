"""Workstation side of figop: simulator, data sets, models, judge, bundle assembly. Only here may torch be imported."""

"""Logs, Application Insights, and what keeps secrets out of them."""

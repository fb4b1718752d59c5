"""Execution of jobs: their kinds, their runner, the Celery application."""

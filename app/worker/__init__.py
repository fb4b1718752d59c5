"""The other end of the work queue: kinds of jobs, their runner, the Celery application."""

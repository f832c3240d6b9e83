"""Celery: the application, its jobs, and the processes that run them."""

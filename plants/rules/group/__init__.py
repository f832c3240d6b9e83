"""Enrolment and the directory of plants."""

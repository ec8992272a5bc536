"""Cleaning rules and rewrites, each on one problem."""

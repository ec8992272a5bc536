"""Adapters: what the columns of each upstream layout mean; ``registry`` joins the families' tables."""

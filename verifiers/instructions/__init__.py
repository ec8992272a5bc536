"""Instruction following: IFEval's constraints on the form of an answer, RLVR-IFeval's and IFBench's.

Reading order: kinds (what a kind of constraint is), constraints (the tables), checks, rlvr_checks and ifbench (what
each means), sentences, dialects (other sets' names for them), conflicts, judgement (strict and loose, in a worker),
verifier.
"""

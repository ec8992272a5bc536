"""Instruction following: IFEval's constraints on the form of an answer.

Reading order: constraints (the table), checks (what each means), sentences, dialects (other sets' names for them),
judgement (strict and loose, in a worker), verifier.
"""

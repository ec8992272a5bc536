"""IFBench's constraints beyond IFEval's: their definitions, in code of our own.

Reading order: reading (a text as words, sentences, lines), then the kinds (counts, words, sequences, forms, tasks), and
the table. Definitions are those that the prompts state. Where a prompt can be read in two ways, or its set's own
checker reads it otherwise than it says, a text of which only one reading holds is not decided.
"""

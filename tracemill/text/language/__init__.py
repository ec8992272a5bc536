"""The language of a text: guessed from its script, its words and a model; and how a recipe names one."""

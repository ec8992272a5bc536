"""The strict reader of mathematical answers: tokens to a tree, or a refusal; units are what a list says they are."""

"""Known datasets of the Hub: where they are, how their rows are laid out, their licences."""

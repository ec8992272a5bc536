"""Everything before generation: cleaning, duplicates, decontamination, labels; and what it finds."""

"""The demo: procedural sources with planted flaws, and a small teacher that can be trained and served on a CPU."""

"""The demo teacher: how it is trained, measured and served."""

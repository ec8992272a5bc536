"""The run's directory: its files, its versions, what in it no publication may touch."""

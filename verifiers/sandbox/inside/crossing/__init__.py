"""What passes between a program and its tests: frames, values, and values with a type of their own."""

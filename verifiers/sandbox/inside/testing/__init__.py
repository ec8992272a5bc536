"""What judges a program from a container of its own: tests as a text and as a module, and the program from afar."""

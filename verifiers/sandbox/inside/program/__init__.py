"""What a program finds beside itself, and how it is called: its module, LeetCode's names, newer syntax."""

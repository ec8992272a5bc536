"""Programs judged by their tests."""

"""What orchestration costs, and what large datasets need."""

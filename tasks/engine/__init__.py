"""What every stage shares: its key, its manifest, quarantine of rows that crash it, failed tasks."""

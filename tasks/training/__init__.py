"""Students: drawn arms, trained and examined."""

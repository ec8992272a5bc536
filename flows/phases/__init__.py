"""What each phase of a run does, from the sources to the publication."""

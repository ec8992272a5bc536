"""Tests in the ways of KodCode, BigCodeBench and LeetCodeDataset, each with right and wrong programs, as text."""

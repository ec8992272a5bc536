"""Functions on text, imported by module: words, hashes, languages, normal form, lettered options, the think template."""

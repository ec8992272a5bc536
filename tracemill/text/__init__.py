"""Functions on text, imported by module: words, hashes, languages, normal form, options, the think template."""

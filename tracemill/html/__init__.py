"""HTML pages without a template's logic: the frame of a page, tables and SVG charts."""

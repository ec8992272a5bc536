"""What pages are made of: jinja2 templates (HTML is escaped, Markdown is not), SVG charts, figures with legends."""

"""Evidence in, tables out: the reference's own pages with what the frameworks really build."""

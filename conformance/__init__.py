"""Do they agree?  Traces of live models, aligned, judged and compared."""

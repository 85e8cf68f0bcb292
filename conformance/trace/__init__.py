"""What a live model does, as a graph of layers in words that no framework owns.

A framework's tracer (``torch.py``, ``jax.py``, ``tensorflow.py``) writes down on a
:class:`~conformance.trace.tape.Tape` what the model computes, primitive by primitive;
:func:`~conformance.trace.canonical.canonical` turns the tape into the neutral graph.
"""

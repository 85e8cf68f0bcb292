"""What a live model does, as a graph of framework-neutral layers.

A framework's tracer (``torch/``, ``jax/``, ``tensorflow/``) writes down on a
:class:`~conformance.trace.tape.Tape` what the model computes, primitive by primitive;
:func:`~conformance.trace.canonical.canonical` turns the tape into the neutral graph.  In between
every value of the tape has a meaning (``meanings.py``), which a rule (``rules/``) gives to what an
operation makes of operands that have one, and algebra is named by feeding it numbers
(``recognise.py``).
"""

"""Whether a site still looks like what a model learnt, and whether the model still fits it."""

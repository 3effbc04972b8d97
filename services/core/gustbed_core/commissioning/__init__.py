"""Commissioning: what a model expects, fitted to one turbine from a normal period of its own."""

"""What a model expects, corrected for each turbine by what a normal period of its own told."""

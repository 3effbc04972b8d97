"""The live state of a site: what came over its broker and from its edge."""

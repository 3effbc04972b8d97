"""What the edge needs of a cloud; a package for each one that there is."""

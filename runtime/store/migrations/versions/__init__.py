"""One module per revision, named by its number: they sort in the order in which they are applied."""

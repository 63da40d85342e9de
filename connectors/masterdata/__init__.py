"""Master data: what the codes of a document mean, from the records of the client's pack."""

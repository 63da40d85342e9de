"""Trading partners: what their profiles say that is the same in every standard."""

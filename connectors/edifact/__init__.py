"""UN/EDIFACT: interchanges in and out."""

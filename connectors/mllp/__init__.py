"""HL7 v2 over TCP: the Minimal Lower Layer Protocol."""

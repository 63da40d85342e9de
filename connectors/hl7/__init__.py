"""HL7 v2 messages as JSON and back, keeping every byte."""

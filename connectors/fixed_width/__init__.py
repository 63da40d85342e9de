"""Files of fixed-width records to JSON and back, by a layout that the flow declares."""

"""Zip archives: the files in them to blobs and back."""

"""Local folders: collect files from them, deliver files to them."""

"""SFTP: collect files from a partner's server, deliver files to it."""

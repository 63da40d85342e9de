"""The runtime: loads flows, stores messages, advances runs, keeps people in control.

Rooms import downwards only: cli > console, api > services > intake, governance > engine > access, masterdata,
observe > store > model > mapping.
"""

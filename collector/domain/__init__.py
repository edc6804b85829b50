"""The nouns and errors of the collector.

Rule: values only.  Nothing here does I/O, logs, sleeps or reads the clock, and
nothing here imports anything but the standard library and its own package.
"""

"""The command line: parse, call, print. Start-up is fast because commands import what they need when they run."""

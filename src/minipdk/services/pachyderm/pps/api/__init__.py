"""The calls of pps_v2.API, one module for each noun: they read a request, call the rules and answer with a message."""

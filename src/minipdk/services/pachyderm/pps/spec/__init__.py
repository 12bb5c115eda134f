"""Pipeline specs: `parsing` makes one of a user's JSON and the defaults, `validation` and `inputs` check it.

`validation` has the one list of fields that minipdk refuses or only echoes; `pod_patch` reads the part of that field that
minipdk honours.
"""

"""One module for each kind of object; each registers its commands on the verbs of `pachctl.verbs`."""

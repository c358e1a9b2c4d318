"""Settings of the parts of a network, as configs name them: names, types, defaults and checks."""

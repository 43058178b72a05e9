"""What the three handlers share: the protocol, the routes, the message log, sessions and delivery."""

import gc

# An import makes tens of thousands of objects that stay. By default the collector would look at them dozens of times
# before the first invocation, which costs a cold start a tenth of its CPU, and finds nothing.
gc.set_threshold(100_000)

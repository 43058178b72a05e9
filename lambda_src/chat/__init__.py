"""What the three handlers share: the protocol, the routes, the message log, sessions and delivery."""

import gc

# Here, since a package is imported before its modules, and these before the SDK: import order within a module is not
# ours to choose. An import makes tens of thousands of objects that stay. By default the collector looks at them dozens
# of times before the first invocation, which costs a cold start a tenth of its CPU, and finds nothing.
gc.set_threshold(100_000)

# Values are named tuples in all of lambda_src: a dataclass is compiled at each import, bytecode or not.

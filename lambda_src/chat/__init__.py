"""What the handlers share: the protocol, the routes, the message log, sessions and delivery."""

import gc

# It is here because a package is imported before its modules, and these before the SDK; within a module, the formatter
# orders imports. An import makes tens of thousands of objects that stay. By default the collector looks at them dozens
# of times before the first invocation, which takes a tenth of a cold start's CPU, and finds nothing.
gc.set_threshold(100_000)

# Values are named tuples in all of lambda_src: a dataclass is compiled at each import, bytecode or not.

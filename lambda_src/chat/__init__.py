"""What the three handlers share: the protocol, the routes, the message log, sessions and delivery."""

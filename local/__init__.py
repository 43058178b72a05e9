"""The real stack on this machine: an emulator of AWS, deployed to by the CDK's own command line."""

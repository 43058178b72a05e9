"""The AWS resources of the chat, and who may do what to which."""

"""Which target next: a config compiled, the strategies, retries, circuits, and the machine that puts them together.

Pure: time, dice and what other requests did come in as arguments. The exchange does what the machine says and tells
it how that ended; ``explain`` asks the same machine without doing anything.
"""

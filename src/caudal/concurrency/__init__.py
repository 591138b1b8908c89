"""Named limits on how much happens at a time, or in a time, whichever process it happens in.

``caudal.concurrency.sync`` is for plain code, ``caudal.concurrency.asyncio`` for coroutines; their names and parameters are the same.
"""

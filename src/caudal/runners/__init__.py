"""Where one attempt of a task executes: in the calling thread's process or in a worker process."""

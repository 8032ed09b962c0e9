"""A version as a folder that runs elsewhere: a graph, what describes it, and a client of a few lines."""

"""`mesh demo`: the reference mesh on a local Azure, each file followed to its subscriber.

reference  what the examples hold, and what is to be expected of each file
azure      the local Azure, as a process
consumer   a consuming domain: it verifies what it is told, and makes the composite
run        the order of it all
command    the command line
"""

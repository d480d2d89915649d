"""Chaos: kills, faults, duplicates and disorder, and a checker that the promise still holds.

effects      every call of a port is an effect, before and after which a worker can be killed
broker       queues with locks, delivery counts and dead letters, and a topic, in memory
world        the real app on the backbone in memory, with a platform that redelivers
clients      what producers and consumers ask of it, each until there is an answer
copies       a world taken over by another
asides       attempts that go on aside, or end there
turns        workers that take turns, effect by effect
consumers    receivers of notifications, with moods
files        files to drop, and an oracle that judges them without the mesh
evidence     what is in storage and in inboxes, read without the mesh
promise      proves the promise from the evidence, or says what is broken
weather      how often something goes wrong there
simulation   a random history in memory, from a seed
processes    the parts of the local Azure as processes that are killed and started again
faults       an HTTP proxy that fails before, and after, calls took effect
storm        what befalls the processes
inboxes      receivers over HTTP, with moods
theirs       a consumer's own queue, topic and inbox
uploads      files dropped through storms
stored       the evidence in storage, read by Microsoft's SDKs
api_clients  what clients ask of those processes over HTTP, each until there is an answer
reality      a random history on those processes, from a seed
run          `scripts/chaos`
"""

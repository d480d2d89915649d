"""A draft of a contract for files that are there already, with the evidence for every guess.

A guess is made only where many values speak for it, and the draft is proved on the files
themselves: what the engine would refuse is taken back.
"""

from mesh.inference.drafting import Draft
from mesh.inference.proving import Source, infer
from mesh.inference.rendering import as_yaml

__all__ = ["Draft", "Source", "as_yaml", "infer"]
